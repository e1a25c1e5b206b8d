"""ICMP and ICMPv6 to a VIP. Echo is answered (RFC 792, RFC 1122 section 3.2.2.6, RFC 4443 section 4.2). An error is about a
packet that a backend sent in the VIP's name: it goes to the backend of that packet's flow (RFC 792, RFC 4443 section 2.4)."""
from frames import by_tunnel, frame, ip, some, tcp, tunnelled, udp
from gateways import CLIENT, GATEWAY_MAC, POOLS, ROUTER_MAC, TUNNELS, VIP
from scapy.all import (ICMP, Ether, ICMPv6DestUnreach, ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6PacketTooBig,
                       ICMPv6ParamProblem, ICMPv6TimeExceeded, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment,
                       IPv6ExtHdrHopByHop, PadN, Raw, raw)
from table import Expected, Step, case, number_of, steps_case

TOPIC = "icmp"
REPLY_TTL = 64
ROUTER = {4: "192.0.2.254", 6: "2001:db8:ff::fe"}


def answer(family: int, packet) -> bytes:
    return raw(Ether(src=GATEWAY_MAC, dst=ROUTER_MAC, type=0x0800 if family == 4 else 0x86DD)) + raw(packet)


def answered(family: int, packet) -> Expected:
    """Of the two zeroes of ones' complement a checksum may hold either, unless all it covers is zero."""
    whole = answer(family, packet)
    at = 14 + (20 if family == 4 else 40) + 2
    other = whole[:at] + b"\xff\xff" + whole[at + 2:]
    return Expected([whole, other] if whole[at:at + 2] == b"\0\0" else [whole])


def echo(family: int, identifier: int, sequence: int, payload: bytes):
    if family == 4:
        return ICMP(type=8, id=identifier, seq=sequence) / Raw(payload)
    return ICMPv6EchoRequest(id=identifier, seq=sequence, data=payload)


def reply(family: int, identifier: int, sequence: int, payload: bytes, **fields):
    back = {"src": VIP[family], "dst": CLIENT[family], **fields}
    if family == 4:
        return ip(4, ttl=REPLY_TTL, **back) / ICMP(type=0, id=identifier, seq=sequence) / Raw(payload)
    return ip(6, hlim=REPLY_TTL, **back) / ICMPv6EchoReply(id=identifier, seq=sequence, data=payload)


def echo_is_answered():
    for family in (4, 6):
        for size in (0, 1, 2, 31, 56, 57, 1000, 1472 if family == 4 else 1452):
            request = frame(family, ip(family) / echo(family, 0x1234, size & 0xFFFF, some(size)))
            case(TOPIC, f"IPv{family} echo of {size} bytes", "tunnels", [request],
                 [answered(family, reply(family, 0x1234, size & 0xFFFF, some(size)))], "answered")
        for identifier, sequence in ((0, 0), (0xFFFF, 0xFFFF), (0, 0xFFFF), (0xFF, 0xF7FF)):
            case(TOPIC, f"IPv{family} echo with identifier {identifier} and sequence {sequence}", "tunnels",
                 [frame(family, ip(family) / echo(family, identifier, sequence, some(8)))],
                 [answered(family, reply(family, identifier, sequence, some(8)))], "answered")
        for ttl in (1, 2, 255):
            fields = {"ttl" if family == 4 else "hlim": ttl}
            case(TOPIC, f"IPv{family} echo with TTL {ttl}", "tunnels",
                 [frame(family, ip(family, **fields) / echo(family, 1, ttl, b""))],
                 [answered(family, reply(family, 1, ttl, b""))], "answered")
        for pad in (60, 100):
            case(TOPIC, f"IPv{family} echo padded to {pad}", "tunnels",
                 [frame(family, ip(family) / echo(family, 2, pad, b""), pad=pad)],
                 [answered(family, reply(family, 2, pad, b""))], "answered")
        fields = {"tos" if family == 4 else "tc": 0xB8}
        case(TOPIC, f"IPv{family} echo with DSCP EF", "tunnels",
             [frame(family, ip(family, **fields) / echo(family, 3, 3, b"x"))],
             [answered(family, reply(family, 3, 3, b"x", **fields))], "answered")


def echo_of_every_payload():
    """Checksums whose ones' complement sums wrap."""
    for family in (4, 6):
        for name, payload in (("all zeroes", bytes(64)), ("all ones", b"\xff" * 64), ("ff00", b"\xff\x00" * 32),
                              ("f7ff", b"\xf7\xff"), ("0800", b"\x08\x00"), ("8000", b"\x80\x00")):
            case(TOPIC, f"IPv{family} echo of {name}", "tunnels", [frame(family, ip(family) / echo(family, 0, 0, payload))],
                 [answered(family, reply(family, 0, 0, payload))], "answered")


def echo_that_gets_no_answer():
    for family, sources in ((4, ("255.255.255.255", "224.0.0.1", "0.0.0.0", "127.0.0.1", VIP[4])),
                            (6, ("ff02::1", "::", "::1", VIP[6]))):
        for source in sources:
            case(TOPIC, f"IPv{family} echo from {source.replace('::', '0')}", "tunnels",
                 [frame(family, ip(family, src=source) / echo(family, 1, 1, b""))], [], "dropped_icmp")
        fields = {"ttl" if family == 4 else "hlim": 0}
        case(TOPIC, f"IPv{family} echo with TTL 0", "tunnels",
             [frame(family, ip(family, **fields) / echo(family, 1, 1, b""))], [], "dropped_ttl_expired")
        stranger = {4: "203.0.113.99", 6: "2001:db8:beef::99"}[family]
        case(TOPIC, f"IPv{family} echo to a stranger", "tunnels",
             [frame(family, ip(family, dst=stranger) / echo(family, 1, 1, b""))], [], "not_vip")
        whole = frame(family, ip(family) / echo(family, 1, 1, b"abcd"))
        for mac in ("ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01"):
            case(TOPIC, f"IPv{family} echo in a frame to {mac}", "tunnels",
                 [bytes.fromhex(mac.replace(":", "")) + whole[6:]], [], "dropped_icmp")


def messages_for_nobody():
    for kind in (0, 1, 2, 4, 5, 6, 7, 9, 10, 13, 14, 15, 16, 17, 18, 19, 30, 40, 41, 42, 255):
        case(TOPIC, f"ICMP type {kind}", "tunnels", [frame(4, ip(4, proto=1) / Raw(bytes([kind]) + bytes(39)))], [],
             "dropped_icmp")
    for kind in (0, 5, 99, 127, 129, 130, 131, 132, 133, 134, 135, 136, 137, 143, 160, 255):
        case(TOPIC, f"ICMPv6 type {kind}", "tunnels", [frame(6, ip(6, nh=58) / Raw(bytes([kind]) + bytes(39)))], [],
             "dropped_icmp")
    for family, number in ((4, 58), (6, 1)):
        case(TOPIC, f"the other family's ICMP in IPv{family}", "tunnels",
             [frame(family, ip(family, **{"proto" if family == 4 else "nh": number}) / Raw(b"\x08" + bytes(31)))], [],
             "dropped_icmp")


# What a backend sent: from the VIP's port to the client's.
def quoted(family: int, port: int, client_port: int, transport=tcp, between=None, **fields):
    header = ip(family, **{"src": VIP[family], "dst": CLIENT[family], **fields})
    layer = transport("quoted", client_port, *(("A",) if transport is tcp else ()))
    layer.sport, layer.dport = port, client_port
    return header / between / layer if between is not None else header / layer


ERRORS = {
    4: {**{f"unreachable code {code}": ICMP(type=3, code=code) for code in range(16) if code != 4},
        "fragmentation needed": ICMP(type=3, code=4, nexthopmtu=1400), "fragmentation needed without MTU": ICMP(
            type=3, code=4), "time exceeded in transit": ICMP(type=11, code=0), "reassembly time exceeded": ICMP(
            type=11, code=1), "parameter problem": ICMP(type=12, ptr=20)},
    6: {**{f"unreachable code {code}": ICMPv6DestUnreach(code=code) for code in range(7)},
        "packet too big": ICMPv6PacketTooBig(mtu=1400), "packet too big of 1280": ICMPv6PacketTooBig(mtu=1280),
        "hop limit exceeded": ICMPv6TimeExceeded(code=0), "reassembly time exceeded": ICMPv6TimeExceeded(code=1),
        "parameter problem": ICMPv6ParamProblem(code=1, ptr=40)},
}
TOO_BIG = {4: ERRORS[4]["fragmentation needed"], 6: ERRORS[6]["packet too big"]}


def error(family: int, message, quote: bytes, **fields):
    return ip(family, src=ROUTER[family], **fields) / message.copy() / Raw(quote)


def every_error_goes_to_the_flows_backend():
    for name in ("GUE over IPv4", "IPIP over IPv6"):
        for family, errors in ERRORS.items():
            for kind, message in errors.items():
                what = f"IPv{family} {kind} about a flow in {name}"
                quote = raw(quoted(family, TUNNELS[name].port, number_of(what, 1024, 65000)))
                packet = error(family, message, quote)
                case(TOPIC, what, "tunnels", [frame(family, packet)], [by_tunnel(name, packet)], "forwarded")


def quotes_of_every_length():
    """RFC 792 wants 8 bytes behind the header, RFC 1812 as much as fits; with fewer than the ports nobody can know."""
    for family in (4, 6):
        header = 20 if family == 4 else 40
        for kind, layer in (("TCP", tcp), ("UDP", udp)):
            whole = raw(quoted(family, 80, 40000, layer) / Raw(some(200)))
            for transport in (4, 7, 8, 12, 20, 100):
                what = f"IPv{family} error that quotes {transport} bytes of {kind}"
                packet = error(family, TOO_BIG[family], whole[:header + transport])
                case(TOPIC, what, "tunnels", [frame(family, packet)], [by_tunnel("GUE over IPv4", packet)], "forwarded")
            for transport in (0, 1, 3):
                packet = error(family, TOO_BIG[family], whole[:header + transport])
                case(TOPIC, f"IPv{family} error that quotes {transport} bytes of {kind}", "tunnels",
                     [frame(family, packet)], [], "dropped_icmp_unknown_flow")
        for size in (0, 1, header - 1):
            packet = error(family, TOO_BIG[family], whole[:size])
            case(TOPIC, f"IPv{family} error that quotes {size} bytes of IP", "tunnels", [frame(family, packet)], [],
                 "dropped_icmp_unknown_flow")


def quotes_with_options_and_extensions():
    quotes = {
        (4, "options"): quoted(4, 80, 40000, options=[Raw(b"\x01" * 8)]),
        (4, "40 bytes of options"): quoted(4, 80, 40000, options=[Raw(b"\x01" * 40)]),
        (4, "a first fragment"): quoted(4, 80, 40000, flags="MF"),
        (4, "a packet with TTL 0"): quoted(4, 80, 40000, ttl=0),
        (4, "a packet with another DSCP"): quoted(4, 80, 40000, tos=0xB8),
        (6, "hop-by-hop options"): quoted(6, 80, 40000, between=IPv6ExtHdrHopByHop(options=[PadN(optdata=bytes(4))])),
        (6, "destination options"): quoted(6, 80, 40000, between=IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(12))])),
        (6, "a first fragment"): quoted(6, 80, 40000, between=IPv6ExtHdrFragment(m=1, id=7)),
        (6, "an atomic fragment"): quoted(6, 80, 40000, between=IPv6ExtHdrFragment(id=7)),
        (6, "a packet with hop limit 0"): quoted(6, 80, 40000, hlim=0),
    }
    for (family, name), quote in quotes.items():
        packet = error(family, TOO_BIG[family], raw(quote))
        case(TOPIC, f"IPv{family} error that quotes {name}", "tunnels", [frame(family, packet)],
             [by_tunnel("GUE over IPv4", packet)], "forwarded")


def quotes_of_no_flow():
    other = {4: "203.0.113.99", 6: "2001:db8:beef::99"}
    for family in (4, 6):
        bad_version = bytearray(raw(quoted(family, 80, 40000)))
        bad_version[0] ^= 0x10
        quotes = {
            "a port without service": quoted(family, 79, 40000),
            "a packet of another source": quoted(family, 80, 40000, src=other[family]),
            "the client's own packet": ip(family) / tcp("own", 80),
            "an echo reply": ip(family, src=VIP[family], dst=CLIENT[family]) / echo(family, 1, 1, b""),
            "another protocol": ip(family, src=VIP[family], dst=CLIENT[family], **{
                "proto" if family == 4 else "nh": 47}) / Raw(bytes(20)),
            "another version": bytes(bad_version),
            "a later fragment": quoted(4, 80, 40000, frag=100) if family == 4 else quoted(
                6, 80, 40000, between=IPv6ExtHdrFragment(offset=100, id=7)),
        }
        for name, quote in quotes.items():
            packet = error(family, TOO_BIG[family], raw(quote))
            case(TOPIC, f"IPv{family} error that quotes {name}", "tunnels", [frame(family, packet)], [],
                 "dropped_icmp_unknown_flow")
    short_ihl = bytearray(raw(quoted(4, 80, 40000)))
    short_ihl[0] = 0x44
    packet = error(4, TOO_BIG[4], bytes(short_ihl))
    case(TOPIC, "IPv4 error that quotes an IHL of 4", "tunnels", [frame(4, packet)], [], "dropped_icmp_unknown_flow")


def errors_end_with_their_time_to_live():
    for family in (4, 6):
        for ttl in (0, 1):
            packet = error(family, TOO_BIG[family], raw(quoted(family, 80, 40000)),
                           **{"ttl" if family == 4 else "hlim": ttl})
            case(TOPIC, f"IPv{family} error with TTL {ttl}", "tunnels", [frame(family, packet)], [], "dropped_ttl_expired")


def cut_messages():
    for family in (4, 6):
        header = 14 + (20 if family == 4 else 40)
        for name, packet in (("echo", ip(family) / echo(family, 1, 1, b"abcd")),
                             ("error", error(family, TOO_BIG[family], raw(quoted(family, 80, 40000))))):
            whole = frame(family, packet)
            for size in (header, header + 1, header + 4, header + 7, len(whole) - 1):
                case(TOPIC, f"IPv{family} {name} cut to {size} bytes", "tunnels", [whole[:size]], [], "dropped_truncated")
        for size in (0, 1, 7):
            packet = ip(family, **{"proto" if family == 4 else "nh": 1 if family == 4 else 58}) / Raw(
                (b"\x08" if family == 4 else b"\x80") * size)
            case(TOPIC, f"IPv{family} ICMP of {size} bytes", "tunnels", [frame(family, packet)], [], "dropped_bad_length")


def errors_follow_one_of_several_backends():
    for family in (4, 6):
        for number in range(8):
            what = f"IPv{family} error {number} follows its flow among three backends"
            client_port = number_of(what, 1024, 65000)
            syn = ip(family) / tcp(what, 90)
            syn[2].sport = client_port
            packet = error(family, TOO_BIG[family], raw(quoted(family, 90, client_port)))
            ways = [[tunnelled(p, "IPIP", to).any_of[0] for to, _, _ in POOLS[90].values()] for p in (syn, packet)]
            steps_case(TOPIC, what, "pools", [Step([frame(family, p)], [Expected(w, "one")], {"forwarded": 1})
                                              for p, w in zip((syn, packet), ways)])


def answers_are_limited():
    """No more than a reflector is worth: RFC 4443 section 2.4 (f), RFC 1812 section 4.3.2.8."""
    for family in (4, 6):
        request = frame(family, ip(family) / echo(family, 1, 1, b""))
        echoed = answered(family, reply(family, 1, 1, b""))
        bursts = [Step([request] * 20, [echoed] * 20, {"answered": 20}) for _ in range(5)]
        bursts.append(Step([request] * 20, [], {"dropped_icmp_limited": 20}))
        bursts.append(Step([request] * 20, [echoed] * 10, {"answered": 10, "dropped_icmp_limited": 10}, wait_ms=10))
        bursts.append(Step([request] * 20, [echoed] * 20, {"answered": 20}, wait_ms=1000))
        steps_case(TOPIC, f"IPv{family} flood of echo requests", "tunnels", bursts, memory_only=True)


def write():
    echo_is_answered()
    echo_of_every_payload()
    echo_that_gets_no_answer()
    messages_for_nobody()
    every_error_goes_to_the_flows_backend()
    quotes_of_every_length()
    quotes_with_options_and_extensions()
    quotes_of_no_flow()
    errors_end_with_their_time_to_live()
    cut_messages()
    errors_follow_one_of_several_backends()
    answers_are_limited()
