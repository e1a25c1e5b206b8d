#!/usr/bin/python3
"""Writes packets.inc: what goes into bpf/decap.bpf.c and what must come out, built by scapy, so that lengths,
checksums and layouts come from an implementation that is not ours.

    make_packets.py            rewrites packets.inc beside this script
    make_packets.py --check    exits 1 when packets.inc is not what this script writes
"""
import pathlib
import socket
import struct
import sys

from scapy.all import (ICMP, IP, UDP, TCP, Dot1Q, Ether, IPv6, IPOption_NOP, Raw, fragment, raw)
from scapy.layers.inet6 import (ICMPv6EchoRequest, ICMPv6ND_NA, ICMPv6PacketTooBig, IPv6ExtHdrDestOpt,
                                IPv6ExtHdrFragment)

GATEWAY, HOST = "10.0.31.1", "10.0.31.2"
GATEWAY6, HOST6 = "fd00:31::1", "fd00:31::2"
CLIENT, VIP = "198.51.100.7", "203.0.113.10"
CLIENT6, VIP6 = "2001:db8:c::7", "2001:db8:5::10"
ETHER = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
NOT_ECT, ECT1, ECT0, CE = 0, 1, 2, 3

rows = []


def outer4(**more):
    return IP(**{"src": GATEWAY, "dst": HOST, "id": 0, "flags": "DF", **more})


def outer6(**more):
    return IPv6(**{"src": GATEWAY6, "dst": HOST6, **more})


def tcp4(tcp_flags="S", **more):
    return IP(**{"src": CLIENT, "dst": VIP, "id": 77, "flags": "DF", **more}) / \
        TCP(sport=40000, dport=80, flags=tcp_flags, seq=1) / Raw(b"hello")


def udp4(port=7):
    return IP(src=CLIENT, dst=VIP) / UDP(sport=40001, dport=port) / Raw(b"echo me")


def tcp6(tcp_flags="S", **more):
    return IPv6(**{"src": CLIENT6, "dst": VIP6, "fl": 0x12345, **more}) / \
        TCP(sport=40000, dport=80, flags=tcp_flags) / Raw(b"hello")


def udp6(port=7):
    return IPv6(src=CLIENT6, dst=VIP6) / UDP(sport=40001, dport=port) / Raw(b"echo me")


def inner_protocol(packet):
    return 4 if raw(packet)[0] >> 4 == 4 else 41


def private(hops=(), next_hop=0, count=None, kind=0):
    return struct.pack("!HBB", kind, next_hop, len(hops) if count is None else count) + b"".join(hops)


def gue_header(protocol, data=b"", version=0, control=0, hlen=None, flags=0):
    words = len(data) // 4 if hlen is None else hlen
    return struct.pack("!BBH", version << 6 | control << 5 | words, protocol, flags) + data


def gue(outer, inner, data=private(), ether=ETHER, port=6080, udp=None, protocol=None, **header):
    protocol = inner_protocol(inner) if protocol is None else protocol
    payload = gue_header(protocol, data, **header) + raw(inner)
    datagram = UDP(**{"sport": 50123, "dport": port, "chksum": 0, **(udp or {})})
    return raw(ether / outer / datagram / Raw(payload))


def ipip(outer, inner, ether=ETHER):
    outer = outer.copy()
    if isinstance(outer, IP):
        outer.proto = inner_protocol(inner)
    else:
        outer.nh = inner_protocol(inner)
    return raw(ether / outer / Raw(raw(inner)))


def plain(inner, ether=ETHER):
    """What the local stack must see: the inner packet behind the same Ethernet header."""
    return raw(ether / inner)


def case(what, packet, outcome, out=None):
    rows.append((what, bytes(packet), outcome, bytes(out) if out is not None else bytes(packet)))


def changed(packet, offset, value):
    packet = bytearray(packet)
    packet[offset:offset + len(value)] = value
    return bytes(packet)


def h4(*last):
    return [bytes((10, 0, 31, n)) for n in last]


def h6(*last):
    return [b"\xfd\x00\x00\x31" + bytes(11) + bytes((n,)) for n in last]


def crossings():
    for outer_name, outer in (("IPv4", outer4()), ("IPv6", outer6())):
        for inner_name, inner in (("IPv4 TCP", tcp4()), ("IPv4 UDP", udp4()), ("IPv6 TCP", tcp6()),
                                  ("IPv6 UDP", udp6())):
            name = f"{inner_name} in {outer_name}"
            case(f"GUE {name}", gue(outer, inner), "DECAPSULATED", plain(inner))
            case(f"GUE without private data {name}", gue(outer, inner, data=b""), "DECAPSULATED", plain(inner))
            case(f"IPIP {name}", ipip(outer, inner), "DECAPSULATED", plain(inner))
            for kind in (0x8100, 0x88a8):
                tag = Ether(src=ETHER.src, dst=ETHER.dst, type=kind) / Dot1Q(vlan=7, prio=3)
                case(f"GUE behind tag {kind:04x} {name}", gue(outer, inner, ether=tag), "DECAPSULATED",
                     plain(inner, tag))
            tag = ETHER / Dot1Q(vlan=7)
            case(f"IPIP behind VLAN tag {name}", ipip(outer, inner, tag), "DECAPSULATED", plain(inner, tag))
    for count in (1, 3, 10):
        options = [IPOption_NOP()] * (4 * count)
        case(f"GUE behind {4 * count} bytes of outer options", gue(outer4(options=options), tcp4()), "DECAPSULATED",
             plain(tcp4()))
        case(f"IPIP behind {4 * count} bytes of outer options", ipip(outer4(options=options), tcp6()),
             "DECAPSULATED", plain(tcp6()))
        inner = tcp4(options=options)
        case(f"inner packet with {4 * count} bytes of options", gue(outer6(), inner), "DECAPSULATED", plain(inner))
    everything = ETHER / Dot1Q(vlan=7)
    options = [IPOption_NOP()] * 40
    case("every header at its longest",
         gue(outer4(options=options), tcp4(options=options), data=private(kind=9) + bytes(120), ether=everything),
         "DECAPSULATED", plain(tcp4(options=options), everything))


def hops():
    for kind, make in ((0, h4), (1, h6)):
        for n in range(4):
            for at in range(n + 1):
                case(f"{n} hops of type {kind}, next {at}", gue(outer4(), tcp4(), private(make(*range(n)), at, kind=kind)),
                     "DECAPSULATED", plain(tcp4()))
        case(f"next hop beyond the list, type {kind}", gue(outer4(), tcp4(), private(make(1, 2), 3, kind=kind)),
             "DROPPED_HOPS")
        case(f"four hops, type {kind}", gue(outer4(), tcp4(), private(make(1, 2, 3, 4), kind=kind)), "DROPPED_HOPS")
        case(f"255 hops, type {kind}", gue(outer4(), tcp4(), private((), 0, count=255, kind=kind)), "DROPPED_HOPS")
        case(f"list longer than its private data, type {kind}",
             gue(outer4(), tcp4(), private(make(1), 0, count=2, kind=kind)), "DROPPED_HOPS")
        case(f"private data longer than its list, type {kind}",
             gue(outer4(), tcp4(), private(make(1), kind=kind) + bytes(8)), "DECAPSULATED", plain(tcp4()))
    case("private data of another type is skipped", gue(outer4(), tcp4(), private((), 9, count=99, kind=0x4242)),
         "DECAPSULATED", plain(tcp4()))
    case("31 words of private data", gue(outer4(), tcp4(), private(h4(1)) + bytes(116)), "DECAPSULATED",
         plain(tcp4()))
    case("Hlen reaches beyond the datagram", gue(outer4(), udp4(), b"", hlen=31), "DROPPED_GUE")


def passed_on(what, inner, hops, at, to, kind=0, ether=ETHER, udp=None, **more):
    """Nobody has a socket here. `at`: next hop on arrival; `to`: index of the hop that must get it."""
    source, own, make = (GATEWAY, HOST, outer4) if kind == 0 else (GATEWAY6, HOST6, outer6)
    limit = more.pop("limit", 64)
    field = "ttl" if kind == 0 else "hlim"
    packet = gue(make(**{field: limit}, **more), inner, private(hops, at, kind=kind), ether, udp=udp)
    back = ether.copy()
    back.src, back.dst = ether.dst, ether.src
    family = socket.AF_INET if kind == 0 else socket.AF_INET6
    onward = make(**{**more, field: limit - 1, "src": own, "dst": socket.inet_ntop(family, hops[to])})
    case(what, packet, "PASSED_ON", gue(onward, inner, private(hops, to + 1, kind=kind), back, udp=udp))


def second_chance():
    tag = ETHER / Dot1Q(vlan=7, prio=5)
    for kind, make in ((0, h4), (1, h6)):
        others = make(11, 12, 13)
        for name, inner in (("TCP v4", tcp4("A")), ("TCP v6", tcp6("PA")), ("UDP v4", udp4()), ("UDP v6", udp6())):
            for n in range(1, 4):
                for at in range(n):
                    passed_on(f"unknown {name}, {n} hops of type {kind}, next {at}", inner, others[:n], at, at, kind)
                case(f"unknown {name}, {n} hops of type {kind}, all tried",
                     gue(outer4() if kind == 0 else outer6(), inner, private(others[:n], n, kind=kind)), "DECAPSULATED",
                     plain(inner))
            passed_on(f"unknown {name}, type {kind}, UDP checksum", inner, others, 1, 1, kind, udp={"chksum": None})
            passed_on(f"unknown {name}, type {kind}, VLAN tag", inner, others, 0, 0, kind, tag)
            passed_on(f"unknown {name}, type {kind}, tag and UDP checksum", inner, others, 2, 2, kind, tag,
                      {"chksum": None})
        for flags in ("", "R", "F", "FA", "RA", "SA", "P"):
            passed_on(f"unknown TCP with flags '{flags}', type {kind}", tcp4(flags), others, 0, 0, kind)
        for flags in ("S", "SE", "SP"):
            case(f"TCP with flags '{flags}' begins, type {kind}",
                 gue(outer4() if kind == 0 else outer6(), tcp4(flags), private(others, kind=kind)), "DECAPSULATED",
                 plain(tcp4(flags)))
        own = make(2)
        passed_on(f"own address is skipped, type {kind}", tcp4("A"), own + others[:2], 0, 1, kind)
        passed_on(f"own address in the middle is skipped, type {kind}", tcp4("A"), others[:1] + own + others[1:2], 1, 2,
                  kind)
        for hops in (own, own * 3, others[:1] + own * 2):
            at = 0 if hops[0] == own[0] else 1
            case(f"only own addresses are left of {len(hops)}, type {kind}, next {at}",
                 gue(outer4() if kind == 0 else outer6(), tcp4("A"), private(hops, at, kind=kind)), "DECAPSULATED",
                 plain(tcp4("A")))
        case(f"hops of type {kind} are of no use in the other family",
             gue(outer6() if kind == 0 else outer4(), tcp4("A"), private(others, kind=kind)), "DECAPSULATED",
             plain(tcp4("A")))
        passed_on(f"hop limit 2, type {kind}", tcp4("A"), others, 0, 0, kind, limit=2)
        for limit in (0, 1):
            outer = outer4(ttl=limit) if kind == 0 else outer6(hlim=limit)
            case(f"hop limit {limit}, type {kind}", gue(outer, tcp4("A"), private(others, kind=kind)),
                 "DROPPED_HOP_LIMIT")
    for number in (0x0000, 0x0001, 0xfffe, 0xffff):
        # Identifications that push the outer checksum to the ends of its range, before and after.
        for ttl, source, target in ((64, GATEWAY, HOST), (63, HOST, "10.0.31.11")):
            base = raw(IP(src=source, dst=target, id=0, flags="DF", ttl=ttl, proto=17,
                          len=28 + 16 + len(raw(tcp4("A")))))
            total = sum(struct.unpack("!10H", base)) - struct.unpack("!H", base[10:12])[0]
            passed_on(f"outer checksum near {number:04x} at TTL {ttl}", tcp4("A"), h4(11, 12), 0, 0,
                      id=(number - total) % 0xffff)
    for name, hop in (("no address", bytes(4)), ("loopback", b"\x7f\0\0\1"), ("multicast", b"\xe0\0\0\1"),
                      ("broadcast", b"\xff" * 4)):
        case(f"hop is {name}", gue(outer4(), tcp4("A"), private([hop])), "DROPPED_HOPS")
    for name, hop in (("no address", bytes(16)), ("loopback", bytes(15) + b"\1"), ("multicast", b"\xff\2" + bytes(14)),
                      ("link-local", b"\xfe\x80" + bytes(13) + b"\1")):
        case(f"IPv6 hop is {name}", gue(outer6(), tcp4("A"), private([hop], kind=1)), "DROPPED_HOPS")
    others = h4(11, 12)
    passed_on("outer options", tcp4("A"), others, 0, 0, options=[IPOption_NOP()] * 8)
    passed_on("outer DSCP and ECN", tcp4("A"), others, 0, 0, tos=0xb9)
    case("no service here goes nowhere", gue(outer4(), udp4(8), private(others)), "DROPPED_NO_SERVICE")
    quoted = IP(src=VIP, dst=CLIENT) / TCP(sport=80, dport=40000, flags="A")
    for kind in (3, 11, 12):
        passed_on(f"ICMP error {kind} about a flow of another host", IP(src=GATEWAY, dst=VIP) / ICMP(type=kind) /
                  Raw(raw(quoted)[:28]), others, 0, 0)
    passed_on("ICMPv6 error about a flow of another host", IPv6(src=GATEWAY6, dst=VIP6) / ICMPv6PacketTooBig(mtu=1280) /
              Raw(raw(IPv6(src=VIP6, dst=CLIENT6) / UDP(sport=7, dport=40001) / Raw(bytes(40)))), others, 0, 0)
    long = IP(src=CLIENT, dst=VIP, id=5) / UDP(sport=40001, dport=7) / Raw(bytes(400))
    pieces = fragment(long, 160)
    passed_on("first fragment goes by its ports", pieces[0], others, 0, 0)
    for name, inner in (("later fragment", pieces[1]), ("ping", IP(src=CLIENT, dst=VIP) / ICMP() / Raw(b"ping")),
                        ("protocol without flows", IP(src=CLIENT, dst="198.18.1.2", proto=47) / Raw(bytes(40))),
                        ("error without ports", IP(src=GATEWAY, dst=VIP) / ICMP(type=3) / Raw(raw(quoted)[:20])),
                        ("error about a later fragment", IP(src=GATEWAY, dst=VIP) / ICMP(type=3) /
                         Raw(raw(IP(src=VIP, dst=CLIENT, frag=9, proto=6) / Raw(bytes(8)))))):
        case(f"{name} is taken where it arrives", gue(outer4(), inner, private(others)), "DECAPSULATED", plain(inner))


def ecn():
    # RFC 6040, figure 4: rows inner, columns outer (Not-ECT, ECT(0), ECT(1), CE).
    table = {NOT_ECT: (NOT_ECT, NOT_ECT, NOT_ECT, None), ECT0: (ECT0, ECT0, ECT1, CE), ECT1: (ECT1, ECT1, ECT1, CE),
             CE: (CE, CE, CE, CE)}
    for inner, results in table.items():
        for outer, result in zip((NOT_ECT, ECT0, ECT1, CE), results):
            outcome = "DECAPSULATED" if result is not None else "DROPPED_ECN"
            for dscp in (0, 46):
                name = f"ECN inner {inner} outer {outer} DSCP {dscp}"
                wrap = dscp << 2
                merged = result if result is not None else inner
                case(f"{name} 4in4 GUE", gue(outer4(tos=outer), tcp4(tos=wrap | inner)), outcome,
                     plain(tcp4(tos=wrap | merged)))
                case(f"{name} 6in4 IPIP", ipip(outer4(tos=outer), tcp6(tc=wrap | inner)), outcome,
                     plain(tcp6(tc=wrap | merged)))
                case(f"{name} 4in6 IPIP", ipip(outer6(tc=outer), tcp4(tos=wrap | inner)), outcome,
                     plain(tcp4(tos=wrap | merged)))
                case(f"{name} 6in6 GUE", gue(outer6(tc=outer), tcp6(tc=wrap | inner)), outcome,
                     plain(tcp6(tc=wrap | merged)))
    for number in (0x0000, 0xfffe, 0xffff):
        # Identifications that push the header checksum to the ends of its range.
        inner = tcp4(tos=ECT0)
        base = raw(inner)
        total = sum(struct.unpack("!10H", base[:20])) - struct.unpack("!H", base[10:12])[0]
        ident = (number - total + 77) % 0xffff
        case(f"ECN with a checksum near {number:04x}", gue(outer4(tos=CE), tcp4(tos=ECT0, id=ident)), "DECAPSULATED",
             plain(tcp4(tos=CE, id=ident)))


def kernel_keeps():
    case("plain TCP to this host", ETHER / IP(src=GATEWAY, dst=HOST) / TCP(dport=22), "PASSED_NOT_TUNNEL")
    case("plain TCP to the VIP", ETHER / tcp4(), "PASSED_NOT_TUNNEL")
    case("UDP to another port", gue(outer4(), tcp4(), port=6081), "PASSED_NOT_TUNNEL")
    case("ARP", changed(plain(tcp4()), 12, b"\x08\x06"), "PASSED_NOT_TUNNEL")
    case("two VLAN tags", gue(outer4(), tcp4(), ether=ETHER / Dot1Q(vlan=1) / Dot1Q(vlan=2)), "PASSED_NOT_TUNNEL")
    case("only an Ethernet header", raw(ETHER)[:12] + b"\x08\x00", "PASSED_NOT_TUNNEL")
    case("IPv6 tunnel behind destination options",
         ETHER / outer6() / IPv6ExtHdrDestOpt() / UDP(dport=6080) / Raw(gue_header(4) + raw(tcp4())),
         "PASSED_NOT_TUNNEL")
    case("GUE to another host", gue(outer4(dst="10.0.31.3"), tcp4()), "PASSED_NOT_OURS")
    case("GUE to another host, IPv6", gue(outer6(dst="fd00:31::3"), tcp4()), "PASSED_NOT_OURS")
    case("IPIP to another host", ipip(outer4(dst="10.0.31.3"), tcp4()), "PASSED_NOT_OURS")
    case("our IPv4 address in an IPv6 mapped form", gue(outer6(dst="::10.0.31.2"), tcp4()), "PASSED_NOT_OURS")
    case("GUE control message", gue(outer4(), tcp4(), control=1), "PASSED_CONTROL")
    case("GUE control message, IPv6", gue(outer6(), tcp4(), control=1), "PASSED_CONTROL")
    case("IPv4 version 5", changed(gue(outer4(), tcp4()), 14, b"\x55"), "PASSED_NOT_TUNNEL")
    case("IPv4 header of 16 bytes", changed(gue(outer4(), tcp4()), 14, b"\x44"), "PASSED_NOT_TUNNEL")
    case("IPv6 version 4", changed(gue(outer6(), tcp4()), 14, b"\x40"), "PASSED_NOT_TUNNEL")
    case("later outer fragment of UDP", gue(outer4(flags=0, frag=10), tcp4()), "PASSED_NOT_TUNNEL")


def outer_refused():
    for name, packet in (("GUE", gue(outer4(), tcp4())), ("IPIP", ipip(outer4(), tcp4()))):
        case(f"{name} with a wrong outer checksum", changed(packet, 24, b"\x12\x34"), "DROPPED_OUTER")
        good = len(packet) - 14
        for length in (0, 19, good + 1, 65535):
            outer = outer4(len=length)
            wrong = gue(outer, tcp4()) if name == "GUE" else ipip(outer, tcp4())
            case(f"{name} with outer length {length}", wrong, "DROPPED_OUTER")
        # Without its options no port can be read, so the kernel is to refuse the UDP packet.
        case(f"{name} with options cut off", changed(packet, 14, b"\x4f")[:60],
             "PASSED_NOT_TUNNEL" if name == "GUE" else "DROPPED_OUTER")
    case("GUE with IPv6 length one too long", gue(outer6(plen=len(raw(tcp4())) + 17), tcp4()), "DROPPED_OUTER")
    case("GUE with IPv6 length zero", gue(outer6(plen=0), tcp4()), "DROPPED_OUTER")
    for length in (0, 7):
        case(f"UDP length {length}", gue(outer4(), tcp4(), udp={"len": length}), "DROPPED_OUTER")
    case("UDP longer than its IP packet", gue(outer4(), tcp4(), udp={"len": 8 + 8 + len(raw(tcp4())) + 1}),
         "DROPPED_OUTER")
    for length in (8, 11):
        case(f"UDP length {length}: no room for GUE", gue(outer4(), tcp4(), udp={"len": length}), "DROPPED_GUE")
    case("first outer fragment of GUE", gue(outer4(flags="MF"), tcp4()), "DROPPED_OUTER_FRAGMENT")
    case("first outer fragment of IPIP", ipip(outer4(flags="MF"), tcp4()), "DROPPED_OUTER_FRAGMENT")
    case("later outer fragment of IPIP", ipip(outer4(flags=0, frag=10), tcp4()), "DROPPED_OUTER_FRAGMENT")
    case("IPv6 outer fragment of GUE", ETHER / outer6() / IPv6ExtHdrFragment(m=1, id=5, nh=17) /
         Raw(raw(UDP(dport=6080, len=300)) + bytes(80)), "DROPPED_OUTER_FRAGMENT")
    case("IPv6 later outer fragment of IPIP", ETHER / outer6() / IPv6ExtHdrFragment(offset=9, id=5, nh=4) /
         Raw(bytes(80)), "DROPPED_OUTER_FRAGMENT")
    for version in (1, 2, 3):
        case(f"GUE version {version}", gue(outer4(), tcp4(), version=version), "DROPPED_GUE")
    case("GUE with flags", gue(outer4(), tcp4(), flags=0x8000), "DROPPED_GUE")
    for protocol in (0, 6, 17, 47, 58, 59):
        case(f"GUE around protocol {protocol}", gue(outer4(), tcp4(), protocol=protocol), "DROPPED_INNER_PROTOCOL")


def inner_refused():
    case("protocol 4 around IPv6", gue(outer4(), tcp6(), protocol=4), "DROPPED_INNER")
    case("protocol 41 around IPv4", gue(outer4(), tcp4(), protocol=41), "DROPPED_INNER")
    case("inner IPv4 header of 16 bytes", ipip(outer4(), Raw(changed(raw(tcp4()), 0, b"\x44"))), "DROPPED_INNER")
    case("inner IPv4 header longer than its packet", ipip(outer4(), Raw(changed(raw(tcp4()), 2, b"\x00\x13"))),
         "DROPPED_INNER")
    case("inner IPv4 longer than the tunnel's payload", ipip(outer4(), tcp4(len=len(raw(tcp4())) + 1)),
         "DROPPED_INNER")
    case("inner IPv6 longer than the tunnel's payload", ipip(outer4(), tcp6(plen=len(raw(tcp6())) - 39)),
         "DROPPED_INNER")
    case("inner IPv4 of 19 bytes", ipip(outer4(), Raw(raw(tcp4())[:19])), "DROPPED_INNER")
    case("inner IPv6 of 39 bytes", ipip(outer4(), Raw(raw(tcp6())[:39])), "DROPPED_INNER")
    case("nothing inside", ETHER / outer4(proto=4), "DROPPED_INNER")
    case("nothing inside GUE", gue(outer4(), Raw(b""), protocol=4), "DROPPED_INNER")
    case("inner TCP of 19 bytes", ipip(outer4(), IP(src=CLIENT, dst=VIP, proto=6) / Raw(raw(tcp4())[20:39])),
         "DROPPED_INNER")
    case("inner UDP of 7 bytes", ipip(outer4(), IP(src=CLIENT, dst=VIP, proto=17) / Raw(raw(udp4())[20:27])),
         "DROPPED_INNER")
    case("inner IPv6 TCP of 19 bytes", ipip(outer4(), IPv6(src=CLIENT6, dst=VIP6, nh=6) / Raw(raw(tcp6())[40:59])),
         "DROPPED_INNER")
    short = IPv6(src=CLIENT6, dst=VIP6, nh=44) / Raw(bytes(7))
    case("inner IPv6 fragment header of 7 bytes", gue(outer4(), short), "DROPPED_INNER")
    case("inner longer tunnel payload is allowed", ipip(outer4(), Raw(raw(tcp4()) + bytes(9))), "DECAPSULATED",
         plain(tcp4()) + bytes(9))
    case("service on another port", gue(outer4(), udp4(8)), "DROPPED_NO_SERVICE")
    case("service on another port, IPv6", gue(outer4(), udp6(8)), "DROPPED_NO_SERVICE")
    case("the port of TCP by UDP", gue(outer4(), udp4(80)), "DROPPED_NO_SERVICE")
    case("another VIP", gue(outer4(), tcp4(dst="203.0.113.11")), "DROPPED_NO_SERVICE")
    case("another VIP, IPv6", gue(outer4(), tcp6(dst="2001:db8:5::11")), "DROPPED_NO_SERVICE")
    case("the host's own address inside", gue(outer4(), tcp4(dst=HOST)), "DROPPED_NO_SERVICE")
    case("a VIP as IPv4-compatible IPv6", gue(outer4(), tcp6(dst="::203.0.113.10")), "DROPPED_NO_SERVICE")
    case("inner SCTP", gue(outer4(), IP(src=CLIENT, dst=VIP, proto=132) / Raw(bytes(40))), "DROPPED_NO_SERVICE")
    case("inner SCTP of 11 bytes", gue(outer4(), IP(src=CLIENT, dst=VIP, proto=132) / Raw(bytes(11))),
         "DROPPED_INNER")
    case("tunnel in a tunnel", gue(outer4(), IP(src=CLIENT, dst=VIP) / tcp4()), "DROPPED_NO_SERVICE")
    case("inner destination options", gue(outer4(), IPv6(src=CLIENT6, dst=VIP6) / IPv6ExtHdrDestOpt() / TCP(dport=80)),
         "DROPPED_INNER_PROTOCOL")
    case("ICMPv6 in IPv4", gue(outer4(), IP(src=CLIENT, dst=VIP, proto=58) / Raw(bytes(40))),
         "DROPPED_INNER_PROTOCOL")
    case("ICMP in IPv6", gue(outer4(), IPv6(src=CLIENT6, dst=VIP6, nh=1) / Raw(bytes(40))), "DROPPED_INNER_PROTOCOL")


def vip_level():
    for kind in (3, 8, 11, 12):
        inner = IP(src=CLIENT, dst=VIP) / ICMP(type=kind) / Raw(raw(udp4())[:28])
        case(f"ICMP type {kind}", gue(outer4(), inner), "DECAPSULATED", plain(inner))
    for kind in (0, 5, 9, 14, 17):
        case(f"ICMP type {kind}", gue(outer4(), IP(src=CLIENT, dst=VIP, proto=1) / Raw(bytes((kind,)) + bytes(35))),
             "DROPPED_INNER_PROTOCOL")
    for inner in (IPv6(src=CLIENT6, dst=VIP6) / ICMPv6EchoRequest(data=b"ping"),
                  IPv6(src=CLIENT6, dst=VIP6) / ICMPv6PacketTooBig(mtu=1280) / Raw(raw(udp6()))):
        case(f"ICMPv6 {inner.lastlayer().name}", ipip(outer6(), inner), "DECAPSULATED", plain(inner))
    redirect = IP(src=CLIENT, dst=VIP) / ICMP(type=5, gw=CLIENT) / Raw(raw(udp4())[:28])
    case("ICMP redirect", gue(outer4(), redirect), "DROPPED_INNER_PROTOCOL")
    forged = IPv6(src=CLIENT6, dst=VIP6, hlim=255) / ICMPv6ND_NA(tgt=GATEWAY6)
    case("forged neighbour advertisement", gue(outer4(), forged), "DROPPED_INNER_PROTOCOL")
    case("ping to an address without services", gue(outer4(), IP(src=CLIENT, dst=HOST) / ICMP()),
         "DROPPED_NO_SERVICE")
    case("ICMP of 7 bytes", gue(outer4(), IP(src=CLIENT, dst=VIP, proto=1) / Raw(raw(ICMP())[:7])), "DROPPED_INNER")
    long = IP(src=CLIENT, dst=VIP, id=5) / UDP(sport=40001, dport=7) / Raw(bytes(range(200)) * 2)
    for number, piece in enumerate(fragment(long, 160)):
        case(f"fragment {number} of UDP", gue(outer4(), piece), "DECAPSULATED", plain(piece))
    long = IP(src=CLIENT, dst=VIP, id=5) / UDP(sport=40001, dport=8) / Raw(bytes(400))
    case("first fragment to another port", gue(outer4(), fragment(long, 160)[0]), "DROPPED_NO_SERVICE")
    long = IP(src=CLIENT, dst="203.0.113.11", id=5) / UDP(sport=40001, dport=7) / Raw(bytes(400))
    case("later fragment for another VIP", gue(outer4(), fragment(long, 160)[1]), "DROPPED_NO_SERVICE")
    case("later fragment of SCTP", gue(outer4(), IP(src=CLIENT, dst=VIP, proto=132, frag=9) / Raw(bytes(40))),
         "DECAPSULATED", plain(IP(src=CLIENT, dst=VIP, proto=132, frag=9) / Raw(bytes(40))))
    tiny = IP(src=CLIENT, dst=VIP, proto=6, flags="MF") / Raw(raw(tcp4())[20:28])
    case("first fragment that hides the TCP flags", gue(outer4(), tiny), "DROPPED_INNER")
    body = raw(udp6())[40:]
    first = IPv6(src=CLIENT6, dst=VIP6) / IPv6ExtHdrFragment(m=1, id=9, nh=17) / Raw(body + bytes(1))
    later = IPv6(src=CLIENT6, dst=VIP6) / IPv6ExtHdrFragment(offset=2, id=9, nh=17) / Raw(bytes(30))
    wrong = IPv6(src=CLIENT6, dst=VIP6) / IPv6ExtHdrFragment(m=1, id=9, nh=17) / Raw(raw(udp6(8))[40:] + bytes(1))
    hidden = IPv6(src=CLIENT6, dst=VIP6) / IPv6ExtHdrFragment(m=1, id=9, nh=60) / Raw(bytes(40))
    case("first IPv6 fragment", gue(outer4(), first), "DECAPSULATED", plain(first))
    case("later IPv6 fragment", ipip(outer6(), later), "DECAPSULATED", plain(later))
    case("first IPv6 fragment to another port", gue(outer4(), wrong), "DROPPED_NO_SERVICE")
    case("IPv6 fragment that hides an extension header", gue(outer4(), hidden), "DROPPED_INNER_PROTOCOL")


def prefixes():
    """The VIPs of decap_test.cc: 198.18.0.0/16 tcp:8000-8999, udp:53 and any; 198.18.7.0/24 sctp; 198.18.7.7 tcp:80;
    2001:db8:77::/64 udp:1000-1001 and tcp."""
    def to(dst, l4):
        return (IPv6(src=CLIENT6, dst=dst) if ":" in dst else IP(src=CLIENT, dst=dst)) / l4 / Raw(b"hello")

    def taken(what, inner):
        case(what, gue(outer4(), inner), "DECAPSULATED", plain(inner))

    def refused(what, inner, why="DROPPED_NO_SERVICE"):
        case(what, gue(outer4(), inner), why)

    for port in (8000, 8999):
        taken(f"prefix: TCP port {port}", to("198.18.255.255", TCP(dport=port)))
    taken("prefix: TCP within a range", to("198.18.1.2", TCP(dport=8500)))
    taken("prefix: TCP beyond the range", to("198.18.0.0", TCP(dport=9000)))
    taken("prefix: one port of UDP", to("198.18.1.2", UDP(dport=53)))
    taken("prefix: any protocol", IP(src=CLIENT, dst="198.18.1.2", proto=47) / Raw(bytes(40)))
    taken("prefix: any protocol, later fragment", IP(src=CLIENT, dst="198.18.1.2", proto=50, frag=9) / Raw(bytes(40)))
    taken("prefix: ping", to("198.18.1.2", ICMP()))
    taken("prefix: later fragment", IP(src=CLIENT, dst="198.18.1.2", proto=17, frag=9) / Raw(bytes(40)))
    taken("prefix: SCTP of the longer one", IP(src=CLIENT, dst="198.18.7.200", proto=132) / Raw(bytes(12)))
    taken("address within prefixes: its port", to("198.18.7.7", TCP(dport=80)))
    taken("address within prefixes: another port", to("198.18.7.7", TCP(dport=8080)))
    refused("before the prefix", to("198.17.255.255", TCP(dport=8000)))
    refused("behind the prefix", to("198.19.0.0", TCP(dport=8000)))
    refused("prefix: redirect", IP(src=CLIENT, dst="198.18.1.2") / ICMP(type=5) / Raw(bytes(28)),
            "DROPPED_INNER_PROTOCOL")
    refused("prefix: ICMPv6 in IPv4", IP(src=CLIENT, dst="198.18.1.2", proto=58) / Raw(bytes(40)),
            "DROPPED_INNER_PROTOCOL")
    refused("prefix: protocol 0", IP(src=CLIENT, dst="198.18.1.2", proto=0) / Raw(bytes(40)),
            "DROPPED_INNER_PROTOCOL")
    for port in (1000, 1001):
        taken(f"IPv6 prefix: UDP port {port}", to("2001:db8:77::ffff:1", UDP(dport=port)))
    taken("IPv6 prefix: every port of TCP", to("2001:db8:77:0:ffff::", TCP(dport=1)))
    for port in (999, 1002):
        refused(f"IPv6 prefix: UDP port {port}", to("2001:db8:77::1", UDP(dport=port)))
    refused("behind the IPv6 prefix", to("2001:db8:77:1::", TCP(dport=1)))
    refused("IPv6 prefix: hop-by-hop header", IPv6(src=CLIENT6, dst="2001:db8:77::1", nh=0) / Raw(bytes(40)),
            "DROPPED_INNER_PROTOCOL")


def big():
    inner = IP(src=CLIENT, dst=VIP) / TCP(sport=40000, dport=80) / Raw(bytes(1460))
    case("full-size segment", gue(outer4(), inner), "DECAPSULATED", plain(inner))
    jumbo = IPv6(src=CLIENT6, dst=VIP6) / TCP(sport=40000, dport=80) / Raw(bytes(8900))
    case("jumbo frame in several buffers", gue(outer4(), jumbo), "DECAPSULATED", plain(jumbo))


def text():
    for make in (crossings, hops, second_chance, ecn, kernel_keeps, outer_refused, inner_refused, vip_level, prefixes, big):
        make()
    lines = ["// Written by make_packets.py with scapy; do not edit.",
             "// {what, packet in, outcome, packet out}; a string of bytes in hexadecimal, run-length for zeros: 'zN.'"]
    for what, packet, outcome, out in rows:
        same = "\"=\"" if packet == out else literal(out)
        lines.append(f"{{\"{what}\", {literal(packet)}, DECAP_{outcome}, {same}}},")
    return "\n".join(lines) + "\n"


def literal(packet):
    text, i = "", 0
    while i < len(packet):
        zeros = len(packet[i:]) - len(packet[i:].lstrip(b"\0"))
        if zeros > 8:
            text += f"z{zeros}."
            i += zeros
        else:
            text += f"{packet[i]:02x}"
            i += 1
    return f"\"{text}\""


def main():
    target = pathlib.Path(__file__).with_name("packets.inc")
    new = text()
    if "--check" not in sys.argv:
        target.write_text(new)
    elif target.read_text() != new:
        sys.exit(f"{target} is stale: run {sys.argv[0]}")


main()
