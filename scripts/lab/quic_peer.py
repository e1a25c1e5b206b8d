"""Both ends of a QUIC-shaped conversation (RFC 9000, invariants of RFC 8999), for a service that is balanced by
connection ID. No cryptography: what a load balancer sees of a connection is its headers.

    quic_peer.py server ADDRESS PORT NAME ID     answers each datagram with NAME; its connection IDs carry ID (hexadecimal)
    quic_peer.py client VIP PORT N SOURCE...     opens N connections from the first SOURCE, goes on from each other one;
                                                 prints {"opened": {NAME: n}, "kept": n, "moved": n, "lost": n}
    quic_peer.py replay VIP PORT SOURCE FILE...  sends what the clients of these captures sent, each connection from a port
                                                 of its own; prints {"connections": n, "datagrams": n, "split": n, "lost": n}
"""
from __future__ import annotations

import json
import os
import socket
import struct
import sys
from collections import Counter

_VERSION = 1
_INITIAL, _SHORT = 0xc0, 0x40
_ID_LENGTH = 8  # of every connection ID in these conversations: first octet, server ID, nonce
_PADDED = 1200


def _family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def serve(address: str, port: int, name: str, server_id: bytes) -> None:
    with socket.socket(_family(address), socket.SOCK_DGRAM) as s:
        s.bind((address, port))
        while True:
            data, peer = s.recvfrom(2048)
            # Rotation 0 and a length of 7 octets after this one (draft-ietf-quic-load-balancers, section 3.1).
            own = bytes([_ID_LENGTH - 1]) + server_id + os.urandom(_ID_LENGTH - 1 - len(server_id))
            s.sendto(own + name.encode() + (b"+" if data[0] & 0x80 else b""), peer)


def _exchange(vip: str, port: int, source: str, datagram: bytes) -> bytes | None:
    with socket.socket(_family(vip), socket.SOCK_DGRAM) as s:
        s.settimeout(1.0)
        s.bind((source, 0))
        s.connect((vip, port))
        s.send(datagram)
        try:
            return s.recv(2048)
        except OSError:
            return None


_REPLAYED = 40  # datagrams of each connection: its handshake and the beginning of its data
_FITTING = 1400  # octets; what is longer meets the tunnel's MTU, which is another scenario's matter


def _clients_datagrams(files: list[str]) -> list[list[bytes]]:
    """Of real browsers and of curl: the datagrams of each client of the captures, in order."""
    from scapy.all import IP, UDP, IPv6, rdpcap  # slow to import, and not needed by the other modes
    connections: dict[tuple, list[bytes]] = {}
    for file in files:
        for packet in rdpcap(file):
            network = packet.getlayer(IP) or packet.getlayer(IPv6)
            if network is None or UDP not in packet or packet[UDP].dport != 443:
                continue
            payload = bytes(packet[UDP].payload)
            if 0 < len(payload) <= _FITTING:
                connections.setdefault((file, network.src, packet[UDP].sport), []).append(payload)
    return [datagrams[:_REPLAYED] for datagrams in connections.values() if datagrams[0][0] & 0x80]


def replay(vip: str, port: int, source: str, files: list[str]) -> dict[str, int]:
    datagrams = split = lost = 0
    connections = _clients_datagrams(files)
    for sent in connections:
        names = set()
        with socket.socket(_family(vip), socket.SOCK_DGRAM) as s:
            s.settimeout(1.0)
            s.bind((source, 0))
            s.connect((vip, port))
            for datagram in sent:
                datagrams += 1
                s.send(datagram)
                try:
                    names.add(s.recv(2048)[_ID_LENGTH:].rstrip(b"+"))
                except OSError:
                    lost += 1
        split += len(names) != 1
    return {"connections": len(connections), "datagrams": datagrams, "split": split, "lost": lost}


def converse(vip: str, port: int, connections: int, sources: list[str]) -> dict[str, object]:
    opened: Counter[str] = Counter()
    kept = moved = lost = 0
    for _ in range(connections):
        # A client's first ID is random; with rotation 7 it says that no server has chosen it.
        first = bytes([0xe0 | os.urandom(1)[0] & 0x1f]) + os.urandom(_ID_LENGTH - 1)
        initial = bytes([_INITIAL]) + struct.pack("!IB", _VERSION, _ID_LENGTH) + first + bytes([0, 0])
        answer = _exchange(vip, port, sources[0], initial.ljust(_PADDED, b"\0"))
        if answer is None:
            lost += 1
            continue
        name, chosen = answer[_ID_LENGTH:].rstrip(b"+").decode(), answer[:_ID_LENGTH]
        opened[name] += 1
        for source in sources[1:]:
            again = _exchange(vip, port, source, bytes([_SHORT]) + chosen + os.urandom(40))
            if again is None:
                lost += 1
            elif again[_ID_LENGTH:].decode() == name:
                kept += 1
            else:
                moved += 1
    return {"opened": opened, "kept": kept, "moved": moved, "lost": lost}


if sys.argv[1] == "server":
    serve(sys.argv[2], int(sys.argv[3]), sys.argv[4], bytes.fromhex(sys.argv[5]))
elif sys.argv[1] == "replay":
    print(json.dumps(replay(sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5:])))
else:
    print(json.dumps(converse(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5:])))
