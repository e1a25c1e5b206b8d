"""What does not fit, encapsulated. The sender is told what fits, if it forbids fragments (RFC 1191, RFC 4443 section 3.2); if
it allows them, cannot do with less, or the pool says so, the outer packet goes in fragments (RFC 2003 section 5.1, RFC 2473
section 7.1). The quote: RFC 1812 section 4.3.2.3, RFC 4443 section 2.4."""
from frames import by_tunnel, frame, ip, overhead, some, tcp, udp
from gateways import CLIENT, GATEWAY_MAC, MTU, NARROW_MTU, ROUTER_MAC, TUNNELS, VIP
from scapy.all import ICMP, IP, Ether, ICMPv6PacketTooBig, IPv6, IPv6ExtHdrFragment, Raw, fragment, raw
from table import Expected, Free, Sent, Step, case, steps_case

TOPIC = "too_big"
IP_AND_UDP = {4: 28, 6: 48}
TUNNELLING = [name for name in TUNNELS if name != "L2DSR"]


def datagram(family: int, what: str, port: int, length: int, **fields):
    """A UDP packet of `length` bytes, with DF in IPv4 unless `flags` says otherwise."""
    fields = {"flags": "DF", **fields} if family == 4 else fields
    return ip(family, **fields) / udp(what, port, some(length - IP_AND_UDP[family]))


def told(family: int, packet, mtu: int) -> bytes:
    """In the VIP's name, to the sender."""
    packet = raw(packet)
    if family == 4:
        answer = IP(src=VIP[4], dst=CLIENT[4], ttl=64, tos=0xC0, id=0, flags="DF") / ICMP(
            type=3, code=4, nexthopmtu=mtu) / Raw(packet[:576 - 28])
    else:
        answer = IPv6(src=VIP[6], dst=CLIENT[6], hlim=64) / ICMPv6PacketTooBig(mtu=mtu) / Raw(packet[:1280 - 48])
    return raw(Ether(src=GATEWAY_MAC, dst=ROUTER_MAC, type=0x0800 if family == 4 else 0x86DD)) + raw(answer)


def in_fragments(whole: Expected, mtu: int) -> list:
    """The outer frame, cut into the longest pieces that fit."""
    one = whole.any_of[0]
    link, outer = one[:14], one[14:]
    if outer[0] >> 4 == 4:
        header = IP(outer)
        header.flags = 0
        del header.chksum
        pieces = [raw(p) for p in fragment(IP(raw(header)), fragsize=(mtu - 20) // 8 * 8)]
        identity = Free("identification", 18, "ffff", [24])
    else:
        header, text = IPv6(outer[:40]), outer[40:]
        room = (mtu - 48) // 8 * 8
        pieces = []
        for at in range(0, len(text), room):
            ext = IPv6ExtHdrFragment(nh=header.nh, offset=at // 8, m=int(at + room < len(text)), id=0)
            pieces.append(raw(IPv6(src=header.src, dst=header.dst, hlim=header.hlim, tc=header.tc, fl=0) / ext /
                              Raw(text[at:at + room])))
        identity = Free("identification", 14 + 44, "ffffffff")
    out = []
    for number, piece in enumerate(pieces):
        free = [identity]
        for f in whole.free:
            if f.name == "flow label":
                free.append(f)
            elif number == 0:  # the ports are in the first one only
                move = 8 if outer[0] >> 4 == 6 else 0
                free.append(Free(f.name, f.at + move, f.mask, [c + move for c in f.checksums], f.least))
        out.append(Expected([link + piece], "one", free))
    return out


def one_byte_too_long():
    for name, tunnel in TUNNELS.items():
        for family in (4, 6):
            fits = MTU - overhead(name)
            what = f"IPv{family} one byte too long for {name}"
            packet = datagram(family, what, tunnel.port, fits + 1)
            case(TOPIC, what, "tunnels", [frame(family, packet)], [told(family, packet, fits)], "answered")


def longer_ones():
    for family in (4, 6):
        fits = MTU - overhead("GUE over IPv4")
        for length in (fits + 2, 1600, 1800):
            what = f"IPv{family} of {length} bytes to a tunnel of {fits}"
            packet = datagram(family, what, 80, length)
            case(TOPIC, what, "tunnels", [frame(family, packet)], [told(family, packet, fits)], "answered")
        what = f"IPv{family} TCP segment too long"
        packet = ip(family, **({"flags": "DF"} if family == 4 else {})) / tcp(what, 80, "A", some(1560))
        case(TOPIC, what, "tunnels", [frame(family, packet)], [told(family, packet, fits)], "answered")


def longer_than_a_buffer():
    fits = MTU - overhead("GUE over IPv4")
    for family in (4, 6):
        what = f"IPv{family} of 2500 bytes in two segments"
        packet = datagram(family, what, 80, 2500)
        case(TOPIC, what, "tunnels", [Sent(frame(family, packet), first_segment=2048)], [told(family, packet, fits)],
             "answered")


def under_tags():
    for kind, tags in (("802.1Q", "81000064"), ("QinQ", "88a800c881000064")):
        tags = bytes.fromhex(tags)
        for family in (4, 6):
            fits = MTU - overhead("GUE over IPv4")
            what = f"IPv{family} too long under {kind}"
            packet = datagram(family, what, 80, fits + 1)
            whole, answer = frame(family, packet), told(family, packet, fits)
            case(TOPIC, what, "tunnels", [whole[:12] + tags + whole[12:]], [answer[:12] + tags + answer[12:]], "answered")


def fragments_where_the_sender_allows_them():
    for name in TUNNELLING:
        what = f"IPv4 without DF one byte too long for {name}"
        packet = datagram(4, what, TUNNELS[name].port, MTU - overhead(name) + 1, flags=0)
        case(TOPIC, what, "tunnels", [frame(4, packet)], in_fragments(by_tunnel(name, packet), MTU), "forwarded")
    for length in (1600, 1700):
        what = f"IPv4 without DF of {length} bytes"
        packet = datagram(4, what, 80, length, flags=0)
        case(TOPIC, what, "tunnels", [frame(4, packet)], in_fragments(by_tunnel("GUE over IPv4", packet), MTU), "forwarded")


def fragments_where_the_pool_wants_them():
    for name in TUNNELLING:
        for family in (4, 6):
            for more in (1, 100):
                what = f"IPv{family} {more} too long for {name} of a pool that fragments"
                packet = datagram(family, what, TUNNELS[name].port, MTU - overhead(name) + more)
                case(TOPIC, what, "fragmenting", [frame(family, packet)], in_fragments(by_tunnel(name, packet), MTU),
                     "forwarded")


def ipv6_cannot_do_with_less_than_1280():
    for name in TUNNELLING:
        what = f"IPv6 of 1280 bytes in {name} of 1280"
        packet = datagram(6, what, TUNNELS[name].port, 1280)
        case(TOPIC, what, "narrow", [frame(6, packet)], in_fragments(by_tunnel(name, packet), NARROW_MTU), "forwarded")
        what = f"IPv6 of 1281 bytes in {name} of 1280"
        packet = datagram(6, what, TUNNELS[name].port, 1281)
        case(TOPIC, what, "narrow", [frame(6, packet)], [told(6, packet, 1280)], "answered")
        what = f"IPv4 of 1280 bytes in {name} of 1280"
        packet = datagram(4, what, TUNNELS[name].port, 1280)
        case(TOPIC, what, "narrow", [frame(4, packet)], [told(4, packet, NARROW_MTU - overhead(name))], "answered")


def senders_that_are_not_told():
    """RFC 1122 section 3.2.2, RFC 4443 section 2.4 (e)."""
    for family, sources in ((4, ("0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255")), (6, ("::", "ff02::1"))):
        for source in sources:
            packet = datagram(family, TOPIC, 80, 1600, src=source)
            case(TOPIC, f"IPv{family} too long from {source.replace('::', '0')}", "tunnels", [frame(family, packet)], [],
                 "dropped_too_big")


def answers_are_limited():
    fits = MTU - overhead("GUE over IPv4")
    for family in (4, 6):
        what = f"IPv{family} flood of packets that are too long"
        packet = datagram(family, what, 80, fits + 1)
        one, answer = frame(family, packet), told(family, packet, fits)
        steps = [Step([one] * 20, [answer] * 20, {"answered": 20}) for _ in range(5)]
        steps.append(Step([one] * 20, [], {"dropped_icmp_limited": 20}))
        steps_case(TOPIC, what, "tunnels", steps, memory_only=True)


def write():
    one_byte_too_long()
    longer_ones()
    longer_than_a_buffer()
    under_tags()
    fragments_where_the_sender_allows_them()
    fragments_where_the_pool_wants_them()
    ipv6_cannot_do_with_less_than_1280()
    senders_that_are_not_told()
    answers_are_limited()
