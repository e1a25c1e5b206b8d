#!/usr/bin/python3
"""Writes vectors.inc: packets in and out as scapy builds them, for vectors_test.cc.

Usage: make_vectors.py > vectors.inc     (or --check: fails if vectors.inc is stale)

The outer UDP source port and the outer IPv6 flow label come from the keyed flow hash; they are 0 here, and the
test compares them on their own (and takes the port out of the outer UDP checksum).
"""
import io
import os
import sys

from scapy.all import IP, IPv6, TCP, UDP, Ether, Raw, raw
from scapy.layers.inet import IPOption_NOP
from scapy.layers.inet6 import IPv6ExtHdrHopByHop
from scapy.layers.l2 import GRE
from scapy.layers.vxlan import VXLAN

GATEWAY_MAC, NEIGHBOUR_MAC = "02:00:00:00:00:a0", "02:00:00:00:00:b0"
BACKEND = {4: "10.0.1.1", 6: "2001:db8:1::1"}
SOURCE = {4: "192.0.2.1", 6: "2001:db8:ff::1"}
VIP = {4: "203.0.113.10", 6: "2001:db8:beef::10"}
CLIENT = {4: "198.51.100.7", 6: "2001:db8:c11e::7"}
INNER_MAC = "02:00:00:00:00:c0"
GRE_KEY, VNI = 0xDEADBEEF, 0xABCDEF
# Destination port -> (encapsulation, outer family; None is the packet's own). vectors_test.cc configures the same.
SERVICES = {80: ("gue", 4), 81: ("ipip", 4), 82: ("gue", 6), 83: ("ipip", 6),
            84: ("gre", 4), 85: ("gre", 6), 86: ("gre with key", 4), 87: ("gre with key", 6),
            88: ("vxlan", 4), 89: ("vxlan", 6), 90: ("gue with checksum", 4), 91: ("gue with checksum", 6),
            92: ("vxlan with checksum", 4), 93: ("vxlan with checksum", 6), 94: ("l2dsr", None)}


def packet_in(family, transport, traffic_class=0, ttl=64, options=False):
    if family == 4:
        ip = IP(src=CLIENT[4], dst=VIP[4], ttl=ttl, tos=traffic_class, id=0x1234,
                options=[IPOption_NOP()] * 4 if options else [])
    else:
        ip = IPv6(src=CLIENT[6], dst=VIP[6], hlim=ttl, tc=traffic_class, fl=0x54321)
        if options:
            ip = ip / IPv6ExtHdrHopByHop()
    return raw(ip / transport)


def aged(inner, family):
    ip = IP(inner) if family == 4 else IPv6(inner)
    if family == 4:
        ip.ttl -= 1
        del ip.chksum
    else:
        ip.hlim -= 1
    return raw(ip)


def tunnel(encap, body, family, outer):
    """IP protocol and bytes of what the outer IP packet carries, as a scapy layer."""
    ether_type = 0x0800 if family == 4 else 0x86DD
    if encap == "ipip":
        return 4 if family == 4 else 41, Raw(body)
    if encap.startswith("gre"):
        key = {"key_present": 1, "key": GRE_KEY} if "key" in encap else {}
        return 47, GRE(proto=ether_type, **key) / Raw(body)
    if encap.startswith("gue"):
        # Version 0, data message, one word of private data: no hops, of the outer family.
        gue = bytes([1, 4 if family == 4 else 41, 0, 0]) + bytes([0, 0 if outer == 4 else 1, 0, 0])
        port, inside = 6080, Raw(gue + body)
    else:
        inner = Ether(src=GATEWAY_MAC, dst=INNER_MAC, type=ether_type) / Raw(body)
        port, inside = 4789, VXLAN(flags=0x08, vni=VNI) / inner
    checksum = {} if "checksum" in encap else {"chksum": 0}
    return 17, UDP(sport=0, dport=port, **checksum) / inside


def packet_out(inner, family, port):
    encap, outer = SERVICES[port]
    if encap == "l2dsr":
        return raw(Ether(src=GATEWAY_MAC, dst=NEIGHBOUR_MAC, type=0x0800 if family == 4 else 0x86DD) / Raw(inner))
    traffic_class = IP(inner).tos if family == 4 else IPv6(inner).tc
    protocol, layers = tunnel(encap, aged(inner, family), family, outer)
    if outer == 4:
        ip = IP(src=SOURCE[4], dst=BACKEND[4], ttl=64, tos=traffic_class, id=0, flags="DF", proto=protocol)
    else:
        ip = IPv6(src=SOURCE[6], dst=BACKEND[6], hlim=64, tc=traffic_class, fl=0, nh=protocol)
    return raw(Ether(src=GATEWAY_MAC, dst=NEIGHBOUR_MAC, type=0x0800 if outer == 4 else 0x86DD) / ip / layers)


def frame(inner, family, pad=0):
    out = bytes.fromhex("020000000011020000000022") + (b"\x08\x00" if family == 4 else b"\x86\xdd") + inner
    return out + b"\xee" * max(0, pad - len(out))


def cases():
    for family in (4, 6):
        for port, (encap, outer) in SERVICES.items():
            name = f"{family}in{outer or family} {encap}"
            syn = TCP(sport=40000, dport=port, flags="S", seq=7)
            yield f"{name}, SYN", family, port, packet_in(family, syn), 0
            data = TCP(sport=40001, dport=port, flags="PA", seq=9, ack=3) / Raw(b"GET / HTTP/1.1\r\n\r\n")
            yield f"{name}, data, DSCP EF and ECT(0)", family, port, packet_in(family, data, traffic_class=0xBA), 0
            yield f"{name}, CE mark", family, port, packet_in(family, data, traffic_class=0x03), 0
            udp = UDP(sport=40002, dport=port) / Raw(b"ping")
            yield f"{name}, UDP, frame padded to 80", family, port, packet_in(family, udp), 80
            yield f"{name}, least TTL that passes", family, port, packet_in(family, udp, ttl=2), 0
            yield f"{name}, IP options", family, port, packet_in(family, syn, options=True), 0
            if "checksum" in encap:
                odd = TCP(sport=40004, dport=port, flags="A") / Raw(b"odd")
                yield f"{name}, odd length", family, port, packet_in(family, odd), 0
                bare = UDP(sport=40005, dport=port, chksum=0) / Raw(b"odd")
                yield f"{name}, inner UDP without checksum", family, port, packet_in(family, bare), 0
                short = UDP(sport=40006, dport=port, len=11) / Raw(b"odd and more")
                yield f"{name}, inner UDP shorter than its packet", family, port, packet_in(family, short), 0
            elif port > 83:
                continue
            big = UDP(sport=40003, dport=port) / Raw(bytes(i % 251 for i in range(1400)))
            yield f"{name}, 1400 bytes of payload", family, port, packet_in(family, big), 0


def generate():
    out = io.StringIO()
    out.write("// Written by make_vectors.py with scapy; not by hand.\n")
    for what, family, port, inner, pad in cases():
        out.write(f'{{"{what}",\n "{frame(inner, family, pad).hex()}",\n "{packet_out(inner, family, port).hex()}"}},\n')
    return out.getvalue()


if __name__ == "__main__":
    text = generate()
    if sys.argv[1:] == ["--check"]:
        path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "vectors.inc")
        sys.exit(0 if open(path, encoding="ascii").read() == text else "vectors.inc is stale: run make_vectors.py")
    sys.stdout.write(text)
