"""IP fragments to a VIP go where the first one of their datagram goes, whatever their order; each is forwarded by itself
(RFC 791 section 3.2, RFC 8200 section 4.5). What cannot be part of a datagram is refused (RFC 1858, 3128, 5722)."""
from frames import by_tunnel, frame, ip, some, tcp, tunnelled, udp
from gateways import POOLS, TUNNELS
from scapy.all import IPv6ExtHdrFragment, Raw, fragment, raw
from scapy.utils import checksum
from table import Expected, Step, case, number_of, steps_case

TOPIC = "fragments"


def datagram(family: int, what: str, port: int, layer=udp, size: int = 200, **fields):
    payload = some(size)
    identity = {"id": number_of(what, 1, 65535)} if family == 4 else {}
    return ip(family, **identity, **fields) / layer(what, port, *(("A", payload) if layer is tcp else (payload,)))


def parts(family: int, whole, size: int = 80) -> list:
    if family == 4:
        return [raw(p) for p in fragment(whole, fragsize=size)]
    text = raw(whole)[40:]
    identity = number_of(text.hex(), 1, 2**32 - 1)
    out = []
    for at in range(0, len(text), size):
        last = at + size >= len(text)
        ext = IPv6ExtHdrFragment(nh=whole.nh, offset=at // 8, m=0 if last else 1, id=identity)
        out.append(raw(ip(6) / ext / Raw(text[at:at + size])))
    return out


def _forward(family, name, part):
    return Step([frame(family, part)], [by_tunnel(name, part, flow="one")], {"forwarded": 1})


def in_order():
    for name in TUNNELS:
        for family in (4, 6):
            for kind, layer in (("UDP", udp), ("TCP", tcp)):
                what = f"IPv{family} {kind} in three fragments in {name}"
                pieces = parts(family, datagram(family, what, TUNNELS[name].port, layer))
                steps_case(TOPIC, what, "tunnels", [_forward(family, name, p) for p in pieces])


def in_one_burst():
    for family in (4, 6):
        what = f"IPv{family} in three fragments in one burst"
        pieces = parts(family, datagram(family, what, 80))
        case(TOPIC, what, "tunnels", [frame(family, p) for p in pieces],
             [by_tunnel("GUE over IPv4", p, flow="one") for p in pieces], "forwarded")


def of_full_size():
    for family in (4, 6):
        what = f"IPv{family} in fragments of 1480 bytes"
        pieces = parts(family, datagram(family, what, 80, size=4000), 1480)
        steps_case(TOPIC, what, "tunnels", [_forward(family, "GUE over IPv4", p) for p in pieces])


def first_one_last():
    for name in TUNNELS:
        for family in (4, 6):
            what = f"IPv{family} fragments in reverse order in {name}"
            first, second, third = parts(family, datagram(family, what, TUNNELS[name].port))
            steps_case(TOPIC, what, "tunnels", [
                Step([frame(family, third)], [], {"held_fragment": 1}),
                Step([frame(family, second)], [], {"held_fragment": 1}),
                Step([frame(family, first)], [by_tunnel(name, p, flow="one") for p in (first, third, second)],
                     {"forwarded": 1})])


def first_one_in_the_middle():
    for family in (4, 6):
        what = f"IPv{family} first fragment between the others"
        first, second, third = parts(family, datagram(family, what, 80))
        to = "GUE over IPv4"
        steps_case(TOPIC, what, "tunnels", [
            Step([frame(family, second)], [], {"held_fragment": 1}),
            Step([frame(family, first)], [by_tunnel(to, p, flow="one") for p in (first, second)], {"forwarded": 1}),
            _forward(family, to, third)])


def datagrams_do_not_mix():
    for family in (4, 6):
        what = f"IPv{family} two datagrams of one client by turns"
        one = parts(family, datagram(family, what + "1", 80))
        two = parts(family, datagram(family, what + "2", 82))
        steps = []
        for p, q in zip(one, two):
            steps += [Step([frame(family, p)], [by_tunnel("GUE over IPv4", p, flow="one")], {"forwarded": 1}),
                      Step([frame(family, q)], [by_tunnel("IPIP over IPv4", q, flow="two")], {"forwarded": 1})]
        steps_case(TOPIC, what, "tunnels", steps)


def all_go_to_the_firsts_backend():
    for family in (4, 6):
        for number in range(6):
            what = f"IPv{family} fragments of datagram {number} go to one of three backends"
            pieces = parts(family, datagram(family, what, 90))
            steps_case(TOPIC, what, "pools", [
                Step([frame(family, p)], [Expected([tunnelled(p, "IPIP", to).any_of[0] for to, _, _ in POOLS[90].values()],
                                                   "one")], {"forwarded": 1}) for p in pieces])


def later_parts_of_nothing():
    """Without the first fragment nobody knows where to: they wait, for so long, and no more than so many."""
    for family in (4, 6):
        what = f"IPv{family} first fragment that comes too late"
        first, second, _ = parts(family, datagram(family, what, 80))
        steps_case(TOPIC, what, "tunnels", [
            Step([frame(family, second)], [], {"held_fragment": 1}),
            Step([frame(family, first)], [by_tunnel("GUE over IPv4", first)], {"forwarded": 1}, wait_ms=2500)],
                   memory_only=True)
        what = f"IPv{family} later fragments beyond those that may wait"
        later = parts(family, datagram(family, what, 80, size=800), 80)[1:]
        assert len(later) >= 9
        case(TOPIC, what, "tunnels", [frame(family, p) for p in later], [],
             {"held_fragment": 8, "dropped_fragment": len(later) - 8})
        what = f"IPv{family} later fragment too long to wait"
        first, second, _ = parts(family, datagram(family, what, 80, size=6000), 2400)
        case(TOPIC, what, "tunnels", [frame(family, second)], [], "dropped_fragment", memory_only=True)


def duplicates():
    """Networks double packets: an exact duplicate is no overlap (RFC 8200 section 4.5)."""
    for family in (4, 6):
        what = f"IPv{family} every fragment twice"
        pieces = parts(family, datagram(family, what, 80))
        steps_case(TOPIC, what, "tunnels", [
            Step([frame(family, p)] * 2, [by_tunnel("GUE over IPv4", p, flow="one")] * 2, {"forwarded": 2})
            for p in pieces[:2]])
        what = f"IPv{family} identification used again at once"
        steps_case(TOPIC, what, "tunnels", [
            Step([frame(family, p) for p in pieces], [by_tunnel("GUE over IPv4", p, flow="one") for p in pieces],
                 {"forwarded": 3}) for pieces in [parts(family, datagram(family, what, 80))] * 3])


def shifted(family: int, part: bytes, by: int) -> bytes:
    """The same fragment at another offset, in bytes."""
    out = bytearray(part)
    at = 6 if family == 4 else 42
    word = int.from_bytes(out[at:at + 2], "big")
    word = (word & 0xE000) + (((word & 0x1FFF) + by // 8) & 0x1FFF) if family == 4 else (word + by) & 0xFFFF
    out[at:at + 2] = word.to_bytes(2, "big")
    if family == 4:
        out[10:12] = b"\0\0"
        out[10:12] = checksum(bytes(out[:20])).to_bytes(2, "big")
    return bytes(out)


def overlaps():
    """RFC 5722: the datagram is lost, with all that follows; RFC 1858 says why in IPv4 as well."""
    for family in (4, 6):
        for name, by in (("8 bytes into the first", -8), ("72 bytes into the first", -72), ("8 bytes off", 8)):
            what = f"IPv{family} second fragment {name}"
            first, second, third = parts(family, datagram(family, what, 80))
            moved = shifted(family, second, by)
            if by > 0:  # into the third, which comes before it
                steps = [_forward(family, "GUE over IPv4", first), _forward(family, "GUE over IPv4", third)]
            else:
                steps = [_forward(family, "GUE over IPv4", first)]
            steps.append(Step([frame(family, moved)], [], {"dropped_fragment_overlap": 1}))
            steps.append(Step([frame(family, second)], [], {"dropped_fragment_overlap": 1}))
            steps_case(TOPIC, what, "tunnels", steps)
        what = f"IPv{family} overlap while they wait for the first"
        first, second, third = parts(family, datagram(family, what, 80))
        steps_case(TOPIC, what, "tunnels", [
            Step([frame(family, second)], [], {"held_fragment": 1}),
            Step([frame(family, shifted(family, second, 8))], [], {"dropped_fragment_overlap": 1}),
            Step([frame(family, first)], [], {"dropped_fragment_overlap": 1})])


def what_no_datagram_has():
    for family in (4, 6):
        what = f"IPv{family} fragment"
        first, second, third = parts(family, datagram(family, what, 80))
        size = 20 if family == 4 else 48

        def with_payload(part, length):
            out = bytearray(part[:size] + some(length))
            total = len(out) if family == 4 else len(out) - 40
            at = 2 if family == 4 else 4
            out[at:at + 2] = total.to_bytes(2, "big")
            if family == 4:
                out[10:12] = b"\0\0"
                out[10:12] = checksum(bytes(out[:20])).to_bytes(2, "big")
            return bytes(out)

        for name, part in (("that ends between two 8 bytes and is not the last", with_payload(second, 77)),
                           ("without payload", with_payload(second, 0)),
                           ("last one without payload", with_payload(third, 0)),
                           ("that ends beyond 65535", shifted(family, second, 65528 - 80)),
                           ("first one of 7 bytes of UDP", with_payload(first, 7)),
                           ("first one of 4 bytes of UDP", with_payload(first, 4))):
            case(TOPIC, f"{what} {name}", "tunnels", [frame(family, part)], [], "dropped_bad_length")
        for cut in (1, 40):
            case(TOPIC, f"{what} cut by {cut} bytes", "tunnels", [frame(family, second)[:-cut]], [], "dropped_truncated")
        for ttl in (0, 1):
            for name, part in (("first", first), ("later", second)):
                old = bytearray(part)
                old[8 if family == 4 else 7] = ttl
                if family == 4:
                    old[10:12] = b"\0\0"
                    old[10:12] = checksum(bytes(old[:20])).to_bytes(2, "big")
                case(TOPIC, f"{what} with TTL {ttl}, {name} one", "tunnels", [frame(family, bytes(old))], [],
                     "dropped_ttl_expired")


def tiny_tcp_fragments():
    """RFC 1858 and 3128: the first fragment has the whole header, and nothing may come in behind its ports."""
    for size in (8, 16):
        what = f"IPv4 TCP first fragment of {size} bytes"
        pieces = parts(4, datagram(4, what, 80, tcp), size)
        case(TOPIC, what, "tunnels", [frame(4, pieces[0])], [], "dropped_bad_length")
    what = "IPv4 TCP fragment at offset 8"
    pieces = parts(4, datagram(4, what, 80, tcp), 8)
    case(TOPIC, what, "tunnels", [frame(4, pieces[1])], [], "dropped_fragment_overlap")
    for size in (8, 16):
        what = f"IPv6 TCP first fragment of {size} bytes"
        pieces = parts(6, datagram(6, what, 80, tcp), size)
        case(TOPIC, what, "tunnels", [frame(6, pieces[0])], [], "dropped_bad_length")


def of_what_is_not_served():
    for family in (4, 6):
        what = f"IPv{family} fragments to a port without service"
        first, second, third = parts(family, datagram(family, what, 79))
        steps_case(TOPIC, what, "tunnels", [
            Step([frame(family, first)], [], {"dropped_no_service": 1}),
            Step([frame(family, second), frame(family, third)], [], {"dropped_fragment": 2})])
        what = f"IPv{family} fragments to a port without service, the first one last"
        first, second, third = parts(family, datagram(family, what, 79))
        steps_case(TOPIC, what, "tunnels", [
            Step([frame(family, second), frame(family, third)], [], {"held_fragment": 2}),
            Step([frame(family, first)], [], {"dropped_no_service": 1})])
        stranger = {4: "203.0.113.99", 6: "2001:db8:beef::99"}[family]
        what = f"IPv{family} later fragment to a stranger"
        if family == 4:
            _, second, _ = parts(4, datagram(4, what, 80, dst=stranger))
        else:
            second = raw(ip(6, dst=stranger) / IPv6ExtHdrFragment(nh=17, offset=10, m=1, id=5) / Raw(some(80)))
        case(TOPIC, what, "tunnels", [frame(family, second)], [], "not_vip")


def by_connection_without_ports():
    """Two clients' datagrams of one identification, and one client's of two protocols, are different datagrams."""
    what = "IPv4 same identification from two clients"
    one = parts(4, datagram(4, what, 80))
    two = parts(4, datagram(4, what, 80, src="198.51.100.8"))
    steps_case(TOPIC, what, "tunnels", [
        Step([frame(4, one[1])], [], {"held_fragment": 1}),
        Step([frame(4, two[0])], [by_tunnel("GUE over IPv4", two[0])], {"forwarded": 1}),
        Step([frame(4, one[0])], [by_tunnel("GUE over IPv4", p) for p in one[:2]], {"forwarded": 1})])
    what = "IPv4 same identification of TCP and UDP"
    one = parts(4, datagram(4, what, 80))
    two = parts(4, datagram(4, what, 80, tcp))
    steps_case(TOPIC, what, "tunnels", [
        Step([frame(4, one[1])], [], {"held_fragment": 1}),
        Step([frame(4, two[0])], [by_tunnel("GUE over IPv4", two[0])], {"forwarded": 1}),
        Step([frame(4, one[0])], [by_tunnel("GUE over IPv4", p) for p in one[:2]], {"forwarded": 1})])


def write():
    in_order()
    in_one_burst()
    of_full_size()
    first_one_last()
    first_one_in_the_middle()
    datagrams_do_not_mix()
    all_go_to_the_firsts_backend()
    later_parts_of_nothing()
    duplicates()
    overlaps()
    what_no_datagram_has()
    tiny_tcp_fragments()
    of_what_is_not_served()
    by_connection_without_ports()
