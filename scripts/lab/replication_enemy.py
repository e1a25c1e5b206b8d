#!/usr/bin/python3
"""Somebody on the path between two gateways who means harm: run in the router's namespace until SIGTERM.

    replication_enemy.py corrupt|replay|forge PORT ADDRESS ADDRESS

corrupt: sends a copy of every datagram with some bits changed (who runs it drops the originals). replay: sends what it
heard again, later and several times. forge: in the gateways' names, noise and well-formed datagrams without the key,
the same from an address that is no gateway's, and noise by TCP. At most a few hundred datagrams a second. Prints how
many were sent as one line of JSON.
"""
import json
import os
import random
import signal
import socket
import struct
import sys
import time

_ETH_P_IP = 0x0800
_OUTGOING = 4  # packet type of what this host itself sends
_HEADER_BYTES, _MAC_BYTES = 64, 16  # dataplane/sync/datagram.h
_PER_SECOND = 400
_STRANGER = "198.51.100.66"


def _crc_of_byte(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    return byte


_CRC = [_crc_of_byte(byte) for byte in range(256)]


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF


class Enemy:
    def __init__(self, port: int, addresses: list[str]):
        self.port, self.addresses = port, addresses
        self.sent = {"corrupt": 0, "replay": 0, "noise": 0, "without_key": 0, "stranger": 0, "connections": 0}
        self._ear = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_IP))
        self._ear.settimeout(0.05)
        self._mouth = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)

    def hear(self) -> tuple[str, str, bytes] | None:
        """The next datagram of replication that passes: from, to, payload."""
        try:
            packet, origin = self._ear.recvfrom(2048)
        except socket.timeout:
            return None
        header = (packet[0] & 15) * 4
        if origin[2] == _OUTGOING or packet[9] != socket.IPPROTO_UDP or len(packet) < header + 8:
            return None
        if struct.unpack_from(">H", packet, header + 2)[0] != self.port:
            return None
        size = struct.unpack_from(">H", packet, 2)[0]
        return socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(packet[16:20]), packet[header + 8:size]

    def say(self, source: str, target: str, payload: bytes) -> None:
        # Without a UDP checksum, which IPv4 allows; the kernel fills in the IP header's.
        udp = struct.pack(">HHHH", self.port, self.port, 8 + len(payload), 0)
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 28 + len(payload), 0, 0, 64, socket.IPPROTO_UDP, 0,
                         socket.inet_aton(source), socket.inet_aton(target))
        try:
            self._mouth.sendto(ip + udp + payload, (target, 0))
        except OSError:
            pass  # a route that is not there just now

    def corrupt(self) -> None:
        heard = self.hear()
        if not heard or not heard[2]:
            return
        source, target, payload = heard
        damaged = bytearray(payload)
        for _ in range(random.randint(1, 4)):
            damaged[random.randrange(len(damaged))] ^= 1 << random.randrange(8)
        if damaged != payload:
            self.say(source, target, bytes(damaged))
            self.sent["corrupt"] += 1

    def replay(self, memory: list[tuple[str, str, bytes]]) -> None:
        until = time.monotonic() + 0.1
        while time.monotonic() < until:
            heard = self.hear()
            if heard and len(memory) < 4000:
                memory.append(heard)
        for source, target, payload in random.sample(memory, min(len(memory), _PER_SECOND // 10)):
            self.say(source, target, payload)
            self.sent["replay"] += 1

    def forge(self, model: list[tuple[str, str, bytes]]) -> None:
        until = time.monotonic() + 0.1
        while time.monotonic() < until:
            heard = self.hear()
            if heard and len(heard[2]) >= _HEADER_BYTES + _MAC_BYTES:
                model[:] = [heard]
        for _ in range(_PER_SECOND // 40):
            source, target = random.sample(self.addresses, 2)
            self.say(source, target, os.urandom(random.randrange(0, 1400)))
            self.sent["noise"] += 1
            self.say(_STRANGER, target, os.urandom(200))
            self.sent["stranger"] += 1
            if model:
                self._without_key(*model[0])
        self._noise_by_tcp(random.choice(self.addresses))

    def _without_key(self, source: str, target: str, payload: bytes) -> None:
        """Everything as it should be, a new sequence number and a right checksum; only the MAC is a guess."""
        forged = bytearray(payload[:-_MAC_BYTES])
        struct.pack_into(">Q", forged, 32, struct.unpack_from(">Q", forged, 32)[0] + random.randint(1, 1000))
        body = os.urandom(len(forged) - _HEADER_BYTES)
        forged[_HEADER_BYTES:] = body
        struct.pack_into(">I", forged, 56, crc32c(body))
        self.say(source, target, bytes(forged) + os.urandom(_MAC_BYTES))
        self.sent["without_key"] += 1

    def _noise_by_tcp(self, target: str) -> None:
        try:
            with socket.create_connection((target, self.port), 0.2) as connection:
                connection.sendall(os.urandom(300))
                self.sent["connections"] += 1
        except OSError:
            pass


def main() -> None:
    mode, port, addresses = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    enemy = Enemy(port, addresses)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    memory: list[tuple[str, str, bytes]] = []
    act = {"corrupt": enemy.corrupt, "replay": lambda: enemy.replay(memory), "forge": lambda: enemy.forge(memory)}[mode]
    try:
        while True:
            act()
    finally:
        print(json.dumps(enemy.sent), flush=True)


if __name__ == "__main__":
    main()
