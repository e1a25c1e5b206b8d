"""IP headers that cannot be: versions, header lengths, ether types that do not fit (RFC 1812 section 5.2.2)."""
from frames import frame, ip, tcp
from kinds import bent, kinds_of
from scapy.utils import checksum
from table import case

TOPIC = "bad_headers"


def with_first_byte(packet: bytes, value: int) -> bytes:
    out = bytearray(bent(packet, at0=value))
    if value >> 4 == 4 and (value & 15) >= 5:
        out[10:12] = b"\0\0"
        out[10:12] = checksum(bytes(out[:4 * (value & 15)])).to_bytes(2, "big")
    return bytes(out)


def wrong_versions():
    for family in (4, 6):
        for kind in kinds_of(family, TOPIC):
            for version in (0, 1, 4, 5, 6, 7, 15):
                if version == family:
                    continue
                packet = with_first_byte(kind.packet, version << 4 | kind.packet[0] & 15)
                case(TOPIC, f"{kind.name} of version {version}", "tunnels", [frame(family, packet)], [],
                     "dropped_bad_header")


def header_length_below_five():
    for kind in kinds_of(4, TOPIC):
        for words in range(5):
            case(TOPIC, f"{kind.name} with IHL {words}", "tunnels",
                 [frame(4, with_first_byte(kind.packet, 0x40 | words))], [], "dropped_bad_header")


def header_length_beyond_the_packet():
    """The IP header claims more than the packet has, or all but too few bytes of it."""
    for size, words in ((20, 6), (20, 15), (36, 10), (44, 15), (59, 15)):
        packet = bytearray(bytes(ip(4) / tcp(f"{TOPIC}{size}", 80, "A", bytes(60)))[:size])
        packet[2:4] = size.to_bytes(2, "big")
        packet = with_first_byte(bytes(packet) + bytes(60), 0x40 | words)[:size]
        case(TOPIC, f"IPv4 of {size} bytes with IHL {words}", "tunnels", [frame(4, packet)], [], "dropped_bad_length")
        case(TOPIC, f"IPv4 of {size} bytes with IHL {words} in a padded frame", "tunnels",
             [frame(4, packet, pad=100)], [], "dropped_bad_length")


def header_length_that_makes_the_transport_header_an_option():
    # What then stands for the ports is the payload's zeroes: port 0, which is nobody's.
    packet = with_first_byte(bytes(ip(4) / tcp(TOPIC, 80, "A", bytes(60))), 0x4F)
    case(TOPIC, "IPv4 TCP with IHL 15 and zeroes behind", "tunnels", [frame(4, packet)], [], "dropped_no_service")


def ether_types():
    for family in (4, 6):
        packet = ip(family) / tcp(TOPIC, 80)
        for name, number in (("ARP", 0x0806), ("LLDP", 0x88CC), ("MPLS", 0x8847), ("PPPoE", 0x8864), ("0", 0),
                             ("802.3 length", 46), ("next to IPv4", 0x0801), ("bytes swapped IPv4", 0x0008),
                             ("bytes swapped IPv6", 0xDD86)):
            case(TOPIC, f"IPv{family} under ether type {name}", "tunnels", [frame(family, packet, ether_type=number)], [],
                 "not_vip")
    case(TOPIC, "IPv4 under the ether type of IPv6", "tunnels",
         [frame(4, ip(4) / tcp(TOPIC, 80, "A", bytes(40)), ether_type=0x86DD)], [], "dropped_bad_header")
    case(TOPIC, "IPv6 under the ether type of IPv4", "tunnels",
         [frame(6, ip(6) / tcp(TOPIC, 80, "A", bytes(40)), ether_type=0x0800)], [], "dropped_bad_header")


def write():
    wrong_versions()
    header_length_below_five()
    header_length_beyond_the_packet()
    header_length_that_makes_the_transport_header_an_option()
    ether_types()
