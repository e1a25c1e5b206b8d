#!/usr/bin/python3
"""Writes rare_vectors.inc: ICMP and other rare packets, and what leaves for them, as scapy builds both.

Usage: make_rare_vectors.py > rare_vectors.inc     (or --check: fails if rare_vectors.inc is stale)

Each entry: what, outcome, packet in, packet out. The services are those of make_vectors.py.
"""
import io
import os
import sys

from make_vectors import CLIENT, VIP, frame, packet_out
from scapy.all import ICMP, IP, ICMPv6EchoRequest, IPv6, TCP, UDP, Ether, Raw, raw
from scapy.layers.inet import IPOption_NOP, IPOption_RR
from scapy.layers.inet6 import (ICMPv6DestUnreach, ICMPv6EchoReply, ICMPv6PacketTooBig, ICMPv6ParamProblem,
                                ICMPv6TimeExceeded, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop)

ROUTER = {4: "198.51.100.254", 6: "2001:db8:c11e::fe"}
SENDER_MAC, GATEWAY_IN_MAC = "02:00:00:00:00:22", "02:00:00:00:00:11"


def turned(inner, family):
    ether = Ether(dst=SENDER_MAC, src=GATEWAY_IN_MAC, type=0x0800 if family == 4 else 0x86DD)
    return raw(ether / Raw(inner))


def echo4(payload, ttl=64, tos=0, options=()):
    ask = raw(IP(src=CLIENT[4], dst=VIP[4], ttl=ttl, tos=tos, id=77, options=list(options)) /
              ICMP(type=8, id=0x1234, seq=9) / Raw(payload))
    length = IP(ask).ihl * 4
    nops = [IPOption_NOP()] * (length - 20)
    reply = raw(IP(src=VIP[4], dst=CLIENT[4], ttl=64, tos=tos, id=77, options=nops) /
                ICMP(type=0, id=0x1234, seq=9) / Raw(payload))
    return ask, reply


def echo6(payload, hop_limit=64, extension=None):
    def build(src, dst, limit, icmp):
        ip = IPv6(src=src, dst=dst, hlim=limit, tc=0, fl=0x321)
        return raw((ip / extension if extension is not None else ip) / icmp / Raw(payload))
    return (build(CLIENT[6], VIP[6], hop_limit, ICMPv6EchoRequest(id=0x1234, seq=9)),
            build(VIP[6], CLIENT[6], 64, ICMPv6EchoReply(id=0x1234, seq=9)))


def echoes():
    for size in (0, 1, 56, 1400):
        payload = bytes(i * 7 % 256 for i in range(size))
        yield f"echo request, {size} bytes", 4, *echo4(payload)
        yield f"echo request, {size} bytes, IPv6", 6, *echo6(payload)
    yield "echo request with a TTL of 1", 4, *echo4(b"abc", ttl=1)
    yield "echo request with a hop limit of 1", 6, *echo6(b"abc", hop_limit=1)
    yield "echo request with DSCP", 4, *echo4(b"abc", tos=0xB8)
    yield "echo request with a record-route option", 4, *echo4(b"abcd", options=[IPOption_RR(routers=["0.0.0.0"] * 3)])
    yield "echo request behind destination options", 6, *echo6(b"abc", extension=IPv6ExtHdrDestOpt())
    # 0xffff and 0x0000 are the corners of an incremental checksum.
    for corner in (0xFFFF, 0xF7FF, 0xF800, 0x0000):
        for identity in range(3):
            word = corner - 0x1234 - 9 & 0xFFFF
            payload = bytes([word >> 8, word & 255, 0, identity])
            yield f"echo request, checksum corner {corner:x} {identity}", 4, *echo4(payload)
            yield f"echo request, checksum corner {corner:x} {identity}, IPv6", 6, *echo6(payload)


def quotes4(port):
    """Packets of a backend to a client in the VIP's name, as a router might quote them."""
    def ip(**more):
        return IP(src=VIP[4], dst=CLIENT[4], ttl=1, **more)
    tcp = TCP(sport=port, dport=40000, seq=5, flags="A") / Raw(b"x" * 100)
    yield "8 bytes", raw(ip(flags="DF") / tcp)[:28]
    yield "all", raw(ip(flags="DF") / tcp)
    yield "IP options", raw(ip(options=[IPOption_NOP()] * 8) / tcp)[:36]
    yield "UDP", raw(ip() / UDP(sport=port, dport=40000) / Raw(b"y" * 64))[:28]
    yield "first fragment", raw(ip(flags="MF", id=3) / tcp)[:28]


def quotes6(port):
    def ip():
        return IPv6(src=VIP[6], dst=CLIENT[6], hlim=1)
    tcp = TCP(sport=port, dport=40000, seq=5, flags="A") / Raw(b"x" * 100)
    yield "8 bytes", raw(ip() / tcp)[:48]
    yield "all", raw(ip() / tcp)
    yield "UDP", raw(ip() / UDP(sport=port, dport=40000) / Raw(b"y" * 64))[:60]
    yield "hop-by-hop options", raw(ip() / IPv6ExtHdrHopByHop() / tcp)
    yield "first fragment", raw(ip() / IPv6ExtHdrFragment(offset=0, m=1, id=7) / tcp)[:64]


def errors():
    for port in (80, 81, 82, 83):
        for what, quote in quotes4(port):
            for kind, icmp in (("fragmentation needed", ICMP(type=3, code=4, nexthopmtu=1400)),
                               ("port unreachable", ICMP(type=3, code=3)), ("time exceeded", ICMP(type=11, code=0)),
                               ("parameter problem", ICMP(type=12, code=0))):
                packet = raw(IP(src=ROUTER[4], dst=VIP[4], ttl=60, tos=0xC0, id=1) / icmp / Raw(quote))
                yield f"{kind} about {what}, port {port}", 4, packet, packet_out(packet, 4, port)
        for what, quote in quotes6(port):
            for kind, icmp in (("packet too big", ICMPv6PacketTooBig(mtu=1400)),
                               ("unreachable", ICMPv6DestUnreach(code=4)), ("time exceeded", ICMPv6TimeExceeded()),
                               ("parameter problem", ICMPv6ParamProblem())):
                packet = raw(IPv6(src=ROUTER[6], dst=VIP[6], hlim=60) / icmp / Raw(quote))
                yield f"{kind} about {what}, port {port}, IPv6", 6, packet, packet_out(packet, 6, port)


def too_big():
    # The test's paths carry 1600 bytes; the outer headers take this much of them.
    for port, overhead in ((80, 36), (81, 20), (82, 56), (83, 40)):
        transport = UDP(sport=40000, dport=port) / Raw(bytes(i % 249 for i in range(1590)))
        sent = raw(IP(src=CLIENT[4], dst=VIP[4], ttl=33, id=5, flags="DF") / transport)
        answer = raw(IP(src=VIP[4], dst=CLIENT[4], ttl=64, tos=0xC0, id=0, flags="DF") /
                     ICMP(type=3, code=4, nexthopmtu=1600 - overhead) / Raw(sent[:548]))
        yield f"does not fit, port {port}", 4, sent, answer
        sent = raw(IPv6(src=CLIENT[6], dst=VIP[6], hlim=33) / transport)
        answer = raw(IPv6(src=VIP[6], dst=CLIENT[6], hlim=64) / ICMPv6PacketTooBig(mtu=1600 - overhead) /
                     Raw(sent[:1232]))
        yield f"does not fit, port {port}, IPv6", 6, sent, answer


def generate():
    out = io.StringIO()
    out.write("// Written by make_rare_vectors.py with scapy; not by hand.\n")
    for what, family, ask, reply in (*echoes(), *too_big()):
        out.write(f'{{"{what}", "answered",\n "{frame(ask, family, 60).hex()}",\n "{turned(reply, family).hex()}"}},\n')
    for what, family, packet, result in errors():
        out.write(f'{{"{what}", "forwarded",\n "{frame(packet, family).hex()}",\n "{result.hex()}"}},\n')
    return out.getvalue()


if __name__ == "__main__":
    text = generate()
    if sys.argv[1:] == ["--check"]:
        path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "rare_vectors.inc")
        sys.exit(0 if open(path, encoding="ascii").read() == text else "rare_vectors.inc is stale: run the generator")
    sys.stdout.write(text)
