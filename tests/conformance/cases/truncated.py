"""Frames that end early, at every boundary of every header, while the IP header speaks of more: RFC 1812 section
5.2.2 (1), RFC 8200 section 3. What is not there is not guessed."""
from kinds import kinds
from frames import frame, ip, tcp
from table import case

TOPIC = "truncated"
ETHERNET = 14


def _places(header):
    """Bytes that are left: the header's start, one byte, half, all but one."""
    return {"without": header.start, "with 1 byte of": header.start + 1, "with half of": header.start + header.size // 2,
            "with all but 1 byte of": header.end - 1}


def every_boundary():
    for number, kind in enumerate(kinds(TOPIC)):
        for header in kind.headers[1 if number != 0 else 0:]:
            for place, size in _places(header).items():
                # No Ethernet carries less than its own header.
                case(TOPIC, f"{kind.name} {place} {header.name}", "tunnels", [kind.frame[:size]], [],
                     "dropped_truncated", memory_only=size < ETHERNET)
        last = kind.headers[-1]
        case(TOPIC, f"{kind.name} with its headers but no payload", "tunnels", [kind.frame[:last.end]], [],
             "dropped_truncated")
        case(TOPIC, f"{kind.name} without its last byte", "tunnels", [kind.frame[:-1]], [], "dropped_truncated")


def every_boundary_behind_tags():
    for name, tags in (("802.1Q", "81000064"), ("QinQ", "88a800c881000064")):
        tags = bytes.fromhex(tags)
        for kind in kinds(TOPIC + name):
            for header in kind.headers[1:]:
                for place, size in _places(header).items():
                    cut = kind.frame[:size]
                    # The kernel of the wire takes the outer tag off, if something stands behind it.
                    case(TOPIC, f"{kind.name} {place} {header.name} under {name}", "tunnels",
                         [cut[:12] + tags + cut[12:]], [], "dropped_truncated", memory_only=size + len(tags) < 20)


def others_packets_are_not_ours_to_judge():
    for family, stranger in ((4, "203.0.113.99"), (6, "2001:db8:beef::99")):
        packet = ip(family, dst=stranger) / tcp(TOPIC, 80)
        whole = frame(family, packet)
        case(TOPIC, f"IPv{family} to a stranger without its last byte", "tunnels", [whole[:-1]], [], "not_vip")
        header = ETHERNET + (20 if family == 4 else 40)
        case(TOPIC, f"IPv{family} to a stranger with its IP header only", "tunnels", [whole[:header]], [], "not_vip")


def write():
    every_boundary()
    every_boundary_behind_tags()
    others_packets_are_not_ours_to_judge()
