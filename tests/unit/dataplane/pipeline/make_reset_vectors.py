#!/usr/bin/python3
"""Writes reset_vectors.inc: TCP segments of flows that are to end, and the resets that answer them, by scapy.

Usage: make_reset_vectors.py > reset_vectors.inc     (or --check: fails if reset_vectors.inc is stale)

Each entry: what, segment in, reset out. RFC 9293, section 3.10.7.1.
"""
import io
import os
import sys

from make_rare_vectors import turned
from make_vectors import CLIENT, VIP, frame
from scapy.all import IP, IPv6, TCP, Raw, raw
from scapy.layers.inet import IPOption_NOP
from scapy.layers.inet6 import IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop

ACK = 0x10203040
SEQ = 0xFFFFFFF0  # so that sums wrap


def segments():
    def tcp(flags, payload=b"", **more):
        return TCP(sport=40000, dport=80, seq=SEQ, ack=ACK if "A" in flags else 0, flags=flags, **more) / Raw(payload), \
            flags, len(payload)
    yield "acknowledgment", *tcp("A")
    yield "data", *tcp("PA", b"GET / HTTP/1.1\r\n\r\n")
    yield "long data", *tcp("PA", b"x" * 1400)
    yield "FIN with acknowledgment", *tcp("FA")
    yield "TCP options", *tcp("PA", b"odd", options=[("NOP", None), ("NOP", None), ("Timestamp", (7, 9))])
    yield "data without acknowledgment", *tcp("P", b"y" * 100)
    yield "nothing but a number", *tcp("")
    yield "FIN without acknowledgment", *tcp("F", b"z" * 31)
    yield "SYN with acknowledgment", *tcp("SA")


def answer(flags, length):
    if "A" in flags:
        return TCP(sport=80, dport=40000, seq=ACK, ack=0, flags="R", window=0)
    taken = length + ("S" in flags) + ("F" in flags)
    return TCP(sport=80, dport=40000, seq=0, ack=(SEQ + taken) % 2**32, flags="RA", window=0)


def cases():
    for what, segment, flags, length in segments():
        reset = answer(flags, length)
        v4 = raw(IP(src=VIP[4], dst=CLIENT[4], ttl=64, id=0, flags="DF") / reset)
        v6 = raw(IPv6(src=VIP[6], dst=CLIENT[6], hlim=64) / reset)
        yield what, 4, raw(IP(src=CLIENT[4], dst=VIP[4], ttl=2, tos=0xB8, id=0x1234) / segment), v4
        yield f"{what}, IP options", 4, raw(IP(src=CLIENT[4], dst=VIP[4], options=[IPOption_NOP()] * 4) / segment), v4
        yield f"{what}, IPv6", 6, raw(IPv6(src=CLIENT[6], dst=VIP[6], hlim=9, tc=0xBA, fl=0x54321) / segment), v6
        yield f"{what}, IPv6 extension headers", 6, raw(
            IPv6(src=CLIENT[6], dst=VIP[6]) / IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / segment), v6


def generate():
    out = io.StringIO()
    out.write("// Written by make_reset_vectors.py with scapy; not by hand.\n")
    for what, family, segment, reset in cases():
        out.write(f'{{"{what}",\n "{frame(segment, family, 60).hex()}",\n "{turned(reset, family).hex()}"}},\n')
    return out.getvalue()


if __name__ == "__main__":
    text = generate()
    if sys.argv[1:] == ["--check"]:
        path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "reset_vectors.inc")
        sys.exit(0 if open(path, encoding="ascii").read() == text else "reset_vectors.inc is stale: run the generator")
    sys.stdout.write(text)
