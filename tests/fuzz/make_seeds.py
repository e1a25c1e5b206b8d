#!/usr/bin/python3
"""Makes what the fuzzers start from: make_seeds.py FOLDER [--captures FOLDER]

Writes FOLDER/TARGET/*: hand-made inputs, and, where there are captures (default: ../shared/data/pcap-zeek beside
the repository), inputs made of their packets, as they are and readdressed to the VIPs of world.cc. Captures are
read only; what is made of them belongs in a build folder.
"""
import argparse
import hashlib
import ipaddress
import itertools
import struct
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
def ip(text: str) -> bytes:
    return ipaddress.ip_address(text).packed


VIP4, VIP4_ANY, VIP4_PREFIX, NAT4 = map(ip, ("203.0.113.10", "203.0.113.11", "203.0.113.200", "192.0.2.100"))
VIP6, VIP6_ANY, NAT6 = map(ip, ("2001:db8::10", "2001:db8:1::7", "2001:db8:ff::100"))
PORTS = (80, 81, 82, 83, 84, 85, 86, 88, 89, 8500, 53, 443)
TAGS = (0x8100, 0x88A8)
PACKETS_PER_CAPTURE = 64
PACKETS_PER_INPUT = 8


class Corpus:
    def __init__(self, folder: Path):
        self.folder = folder
        self.count = 0

    def add(self, target: str, data: bytes) -> None:
        folder = self.folder / target
        folder.mkdir(parents=True, exist_ok=True)
        (folder / hashlib.sha1(data).hexdigest()[:16]).write_bytes(data)
        self.count += 1


def record(data: bytes, first: int = 0) -> bytes:
    """Flags or kind, length, bytes: how fuzz_pipeline and fuzz_control read their messages."""
    return struct.pack("<BH", first, len(data)) + data


def ip_offset(frame: bytes) -> int | None:
    at = 12
    while len(frame) >= at + 2:
        kind = struct.unpack_from(">H", frame, at)[0]
        if kind not in TAGS:
            return at + 2 if kind in (0x0800, 0x86DD) else None
        at += 4
    return None


def readdressed(frame: bytes, number: int) -> bytes:
    """The same packet to a VIP and a port of world.cc. An ICMP error then quotes an answer of that VIP."""
    at = ip_offset(frame)
    if at is None or len(frame) < at + 40:
        return frame
    out = bytearray(frame)
    if out[at] >> 4 == 4:
        vip = (VIP4, VIP4, VIP4, VIP4_ANY, VIP4_PREFIX, NAT4)[number % 6]
        out[at + 16:at + 20] = vip
        protocol, transport = out[at + 9], at + 4 * (out[at] & 15)
        later = struct.unpack_from(">H", out, at + 6)[0] & 0x1FFF != 0
    else:
        vip = (VIP6, VIP6, VIP6, VIP6_ANY, NAT6)[number % 5]
        out[at + 24:at + 40] = vip
        protocol, transport, later = out[at + 6], at + 40, False
    if protocol in (6, 17, 132) and not later and len(out) >= transport + 4:
        struct.pack_into(">H", out, transport + 2, PORTS[number % len(PORTS)])
    inner = transport + 8 + (12 if len(vip) == 4 else 8)
    if protocol in (1, 58) and len(out) >= inner + len(vip):
        out[inner:inner + len(vip)] = vip
    return bytes(out)


def from_capture(path: Path, corpus: Corpus) -> None:
    from scapy.utils import RawPcapReader  # slow to load, and not needed without captures
    packets = RawPcapReader(str(path))  # of pcapng and gzip, too
    frames = [bytes(data)[:2048] for data, _ in itertools.islice(packets, PACKETS_PER_CAPTURE)]
    packets.close()
    for number, frame in enumerate(frames):
        corpus.add("parse", frame)
        at = ip_offset(frame)
        if "quic" in path.parts and at is not None and frame[at] >> 4 == 4:
            payload = frame[at + 28:]
            if payload:
                corpus.add("quic", bytes([number % 7, number % 15, number % 9, number % 3, payload[0] >> 7]) + payload)
    for start in range(0, len(frames), PACKETS_PER_INPUT):
        group = frames[start:start + PACKETS_PER_INPUT]
        for shift in range(0, len(PORTS), 3):
            aimed = [record(readdressed(f, shift + n % 2)) for n, f in enumerate(group)]
            corpus.add("pipeline", bytes([shift % 2]) + b"".join(aimed))
    corpus.add("pipeline", b"\1" + b"".join(record(f) for f in frames[:PACKETS_PER_INPUT]))


def udp4(port: int, payload: bytes = b"penstock", flags_offset: int = 0) -> bytes:
    udp = struct.pack(">HHHH", 40000, port, 8 + len(payload), 0) + payload
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 7, flags_offset, 64, 17, 0, ip("198.51.100.7"), VIP4)
    return bytes(12) + b"\x08\x00" + head + udp


def tcp6(port: int) -> bytes:
    tcp = struct.pack(">HHIIBBHHH", 40000, port, 1, 0, 0x50, 2, 1024, 0, 0)
    head = struct.pack(">IHBB", 6 << 28, len(tcp), 6, 64) + ip("2001:db8:9::7") + VIP6
    return bytes(12) + b"\x86\xdd" + head + tcp


def fragment(datagram: int, offset: int, length: int, more: bool) -> bytes:
    return struct.pack("<BBHH", datagram, 1, offset // 8, length | (0x8000 if more else 0))


def encoded(text: Path, message: str) -> bytes:
    return subprocess.run(["protoc", f"-I{ROOT}/include", f"--encode=penstock.proto.{message}",
                           f"{ROOT}/include/penstock/proto/dataplane.proto"],
                          stdin=text.open("rb"), capture_output=True, check=True).stdout


def by_hand(corpus: Corpus) -> None:
    frames = [udp4(port) for port in (80, 81, 53, 443, 9)] + [tcp6(port) for port in (80, 82, 85)]
    frames += [udp4(80, b"x" * 16, 0x2000), udp4(80, b"y" * 8, 0x0003), udp4(80, b"z" * 1440)]
    for frame in frames:
        corpus.add("parse", frame)
    for together in (b"\0", b"\1"):
        corpus.add("pipeline", together + b"".join(record(f) for f in frames))
    corpus.add("pipeline", b"\1" + record(frames[0], 2) + record(frames[5], 3) + record(frames[-1], 4 | 32))
    def answers(kind: int, *records: tuple[int, int, int, bytes]) -> bytes:
        return bytes([kind]) + b"".join(bytes([w, f, o]) + struct.pack("<H", len(b)) + b for w, f, o, b in records)

    response = b"HTTP/1.1 200 OK\r\nX: y\r\n\r\nok"
    corpus.add("direct", answers(0, (1, 0x12, 1, b"")))
    corpus.add("direct", answers(0, (1, 0x14, 1, b""), (0, 0, 0, udp4(61128))))
    corpus.add("direct", answers(1, (1, 0x12, 1, b""), (1, 0x10, 3, response + b"!" * (1 - len(response) % 2))))
    corpus.add("direct", answers(2, (0, 0, 0, udp4(61128, b"ok"))))
    corpus.add("quic", bytes([0, 2, 0, 0, 0]) + bytes.fromhex("4107c4605e4504cc4f"))
    corpus.add("quic", bytes([2, 7, 4, 0x8F, 1]) + bytes.fromhex("c30000000111504dd2d05a7b0de9b2b9907afb5ecf8cc308"))
    in_order = [(0, 16, True), (16, 16, True), (32, 5, False)]
    for parts in (in_order, in_order[::-1], in_order[1:], in_order + [(8, 16, True)], [(16 * n, 8, True) for n in range(20)]):
        for many in (b"\0", b"\1"):
            corpus.add("fragment", many + b"".join(fragment(n, *part) for n in (1, 2) for part in parts))
    configs = [record(encoded(p, "DataplaneConfig"), 0) for p in sorted((HERE / "messages").glob("config*.textproto"))]
    weights = [record(encoded(p, "UpdateWeightsRequest"), 1) for p in sorted((HERE / "messages").glob("weights*.textproto"))]
    for message in configs + weights:
        corpus.add("control", message)
    corpus.add("control", b"".join(configs[:1] + weights + [struct.pack("<BH", 2, 1)] + configs[1:]))


def replication(corpus: Corpus) -> None:
    """What fuzz_sync.cc reads: one byte that says what, then the rest."""
    def put(kind: int, key: int, data: bytes) -> bytes:
        return struct.pack(">BBHQB", 1, kind, 1, key, len(data)) + data

    def datagram(kind: int, k: int, m: int, index: int, payload: bytes) -> bytes:
        return bytes([kind, k, m, index, 7]) + struct.pack("<H", len(payload)) + payload

    ends = struct.pack(">BBHQQ", 2, 1, 2, 42, 43)
    content = struct.pack(">BBHQQ", 3, 1, 0, 0, 2**64 - 1)
    digest = struct.pack(">BBHBI3I", 4, 1, 3, 3, 2, 0, 1, 2)
    ask = struct.pack(">BBHB2I", 5, 1, 2, 3, 0, 7)
    every = put(1, 42, bytes(12)) + put(2, 43, bytes(140)) + ends + content + digest + ask
    corpus.add("sync", b"\x00PSYN" + bytes(76))
    corpus.add("sync", b"\x01" + datagram(1, 10, 4, 0, every))
    corpus.add("sync", b"\x01" + datagram(0, 0, 0, 0, b"") + datagram(1, 2, 1, 0, ends) + datagram(2, 2, 1, 2, bytes(24)))
    corpus.add("sync", b"\x02" + bytes(20) + struct.pack(">I", 1))
    corpus.add("sync", b"\x03" + bytes([1]) + struct.pack(">QB", 42, 12) + bytes(12))
    corpus.add("sync", b"\x04" + bytes.fromhex("63601805a360140000"))


def probes(corpus: Corpus) -> None:
    """What fuzz_probe.cc reads: one byte that says what, then the rest."""
    for frame in (udp4(61000), udp4(62000, b"x" * 600), udp4(61000, b"y" * 8, 0x2000), tcp6(61500)):
        corpus.add("probe", b"\x00" + frame)
    reply = bytes.fromhex("20b00000020201030090000001000000050000000000000000000000") + bytes(120)
    corpus.add("probe", b"\x01" + reply)
    sections = bytes(7) + b"\x03" + bytes(60)
    corpus.add("probe", b"\x02" + b"\x00\x00\x00" + b"\x01\x00\x00" + b"\xc8\x00\x00")
    corpus.add("probe", b"\x02" + b"\x00" + struct.pack("<H", len(sections)) + sections + b"\x00\x00\x00")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--captures", type=Path, default=ROOT.parent / "shared/data/pcap-zeek")
    arguments = parser.parse_args()
    corpus = Corpus(arguments.folder)
    by_hand(corpus)
    replication(corpus)
    probes(corpus)
    captures = sorted(p for p in arguments.captures.rglob("*") if ".pcap" in p.name) if arguments.captures.is_dir() else []
    for capture in captures:
        from_capture(capture, corpus)
    print(f"make_seeds: {corpus.count} inputs, {len(captures)} captures" + ("" if captures else " (none found)"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
