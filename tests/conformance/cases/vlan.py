"""VLAN tags of packets to a VIP (IEEE 802.1Q, 802.1ad): unless the port says otherwise a packet leaves with the tags that it
came with, and is otherwise treated as if it had none."""
from frames import by_tunnel, frame, ip, some, tcp, udp
from gateways import TUNNELS
from kinds import kinds
from table import Expected, Free, Step, case, steps_case

from cases.fragments import datagram, parts
from cases.icmp import answer, echo, reply

TOPIC = "vlan"
MACS = 12


def tag(vlan: int, priority: int = 0, kind: int = 0x8100) -> bytes:
    return kind.to_bytes(2, "big") + (priority << 13 | vlan).to_bytes(2, "big")


TAGS = {
    "802.1Q": tag(100),
    "802.1Q with priority": tag(100, 5),
    "priority tag": tag(0, 7),
    "VLAN 4094": tag(4094),
    "802.1ad alone": tag(200, kind=0x88A8),
    "QinQ": tag(200, kind=0x88A8) + tag(100),
    "QinQ with priorities": tag(200, 3, 0x88A8) + tag(100, 6),
    "802.1Q twice": tag(200) + tag(100),
}


def tagged(tags: bytes, whole: bytes) -> bytes:
    return whole[:MACS] + tags + whole[MACS:]


def tagged_too(tags: bytes, expected: Expected) -> Expected:
    free = [Free(f.name, f.at + len(tags), f.mask, [c + len(tags) for c in f.checksums], f.least) for f in expected.free]
    return Expected([tagged(tags, f) for f in expected.any_of], expected.flow, free)


def kept():
    for name, tunnel in TUNNELS.items():
        for family in (4, 6):
            for kind, tags in TAGS.items():
                if kind not in ("802.1Q", "QinQ") and name not in ("GUE over IPv4", "IPIP over IPv6"):
                    continue
                what = f"IPv{family} under {kind} in {name}"
                packet = ip(family) / tcp(what, tunnel.port)
                case(TOPIC, what, "tunnels", [tagged(tags, frame(family, packet))],
                     [tagged_too(tags, by_tunnel(name, packet))], "forwarded")


def every_kind_of_packet():
    for kind in kinds(TOPIC):
        for name in ("802.1Q", "QinQ"):
            case(TOPIC, f"{kind.name} under {name}", "tunnels", [tagged(TAGS[name], kind.frame)],
                 [tagged_too(TAGS[name], by_tunnel("GUE over IPv4", kind.packet))], "forwarded")


def padded():
    for name, tags in TAGS.items():
        packet = ip(4) / udp(name, 80, b"")
        case(TOPIC, f"padded frame under {name}", "tunnels", [tagged(tags, frame(4, packet, pad=60))],
             [tagged_too(tags, by_tunnel("GUE over IPv4", packet))], "forwarded")


def cut():
    for name in ("802.1Q", "QinQ"):
        tags = TAGS[name]
        whole = tagged(tags, frame(4, ip(4) / tcp(name, 80, "A", some(20))))
        for size in range(14, MACS + len(tags) + 2):
            # The kernel of the wire looks at the outer tag itself.
            case(TOPIC, f"frame of {size} bytes under {name}", "tunnels", [whole[:size]], [], "dropped_truncated",
                 memory_only=True)
        for size, where in ((MACS + len(tags) + 2, "before the IP header"), (MACS + len(tags) + 12, "inside the IP header"),
                            (MACS + len(tags) + 22, "behind the IP header"), (len(whole) - 1, "by one byte")):
            case(TOPIC, f"frame cut {where} under {name}", "tunnels", [whole[:size]], [], "dropped_truncated",
                 memory_only=size < 20)


def others():
    for name, tags in TAGS.items():
        stranger = frame(4, ip(4, dst="203.0.113.99") / tcp(name, 80))
        case(TOPIC, f"stranger under {name}", "tunnels", [tagged(tags, stranger)], [], "not_vip")
        case(TOPIC, f"ARP under {name}", "tunnels", [tagged(tags, frame(4, bytes(46), ether_type=0x0806))], [], "not_vip")
        case(TOPIC, f"TTL 1 under {name}", "tunnels", [tagged(tags, frame(4, ip(4, ttl=1) / tcp(name, 80)))], [],
             "dropped_ttl_expired")
        case(TOPIC, f"port without service under {name}", "tunnels", [tagged(tags, frame(6, ip(6) / tcp(name, 79)))], [],
             "dropped_no_service")
        case(TOPIC, f"wrong version under {name}", "tunnels",
             [tagged(tags, frame(4, ip(6) / tcp(name, 80), ether_type=0x0800))], [], "dropped_bad_header")
    three = tag(1) + tag(2) + tag(3)
    case(TOPIC, "three tags", "tunnels", [tagged(three, frame(4, ip(4) / tcp("three", 80)))], [], "not_vip")


def answers():
    """They go back the way that the question came."""
    for name, tags in TAGS.items():
        for family in (4, 6):
            request = frame(family, ip(family) / echo(family, 7, 7, b"tagged"))
            back = answer(family, reply(family, 7, 7, b"tagged"))
            case(TOPIC, f"IPv{family} echo under {name}", "tunnels", [tagged(tags, request)], [tagged(tags, back)],
                 "answered")
            for rule in ("strip", "300"):
                case(TOPIC, f"IPv{family} echo under {name} by a port of rule {rule}", f"VLAN {rule}",
                     [tagged(tags, request)], [tagged(tags, back)], "answered")


def held_fragments():
    """What waited leaves as it would have left at once."""
    to = "GUE over IPv4"
    for name in ("802.1Q", "QinQ with priorities"):
        tags = TAGS[name]
        for family in (4, 6):
            what = f"IPv{family} fragments in reverse order under {name}"
            first, second, third = parts(family, datagram(family, what, 80))
            steps_case(TOPIC, what, "tunnels", [
                Step([tagged(tags, frame(family, third))], [], {"held_fragment": 1}),
                Step([tagged(tags, frame(family, second))], [], {"held_fragment": 1}),
                Step([tagged(tags, frame(family, first))],
                     [tagged_too(tags, by_tunnel(to, p, flow="one")) for p in (first, third, second)], {"forwarded": 1})])


def by_rule():
    """What leaves is tagged as the port wants it; what came without a tag leaves without one."""
    leaves = {"strip": b"", "300": tag(300), "400.300": tag(400, kind=0x88A8) + tag(300)}
    for rule, after in leaves.items():
        for name in ("GUE over IPv4", "IPIP over IPv6"):
            for family in (4, 6):
                for kind, tags in {**TAGS, "no tag": b""}.items():
                    what = f"IPv{family} under {kind} in {name} by a port of rule {rule}"
                    packet = ip(family) / tcp(what, TUNNELS[name].port)
                    case(TOPIC, what, f"VLAN {rule}", [tagged(tags, frame(family, packet))],
                         [tagged_too(after if tags else b"", by_tunnel(name, packet))], "forwarded")
    packet = ip(4) / tcp("keep", 80)
    for kind, tags in TAGS.items():
        case(TOPIC, f"{kind} by a port of rule keep", "VLAN keep", [tagged(tags, frame(4, packet))],
             [tagged_too(tags, by_tunnel("GUE over IPv4", packet))], "forwarded")


def write():
    answers()
    held_fragments()
    by_rule()
    kept()
    every_kind_of_packet()
    padded()
    cut()
    others()
