"""IP lengths that lie. Too small for the headers that the packet has: dropped_bad_length; larger than the frame:
dropped_truncated (RFC 1812 section 5.2.2). What lies behind the IP packet is padding and stays behind."""
from frames import by_tunnel, frame
from kinds import kinds, kinds_of
from scapy.utils import checksum
from table import case

TOPIC = "lengths"
TUNNEL = "GUE over IPv4"


def with_length(kind, length: int) -> bytes:
    """length: of IPv4 the whole packet, of IPv6 what follows the fixed header."""
    high, low = length >> 8, length & 255
    if kind.family == 6:
        return kind.bent(at4=high, at5=low)
    out = bytearray(kind.bent(at2=high, at3=low, at10=0, at11=0))
    out[10:12] = checksum(bytes(out[:4 * (out[0] & 15)])).to_bytes(2, "big")
    return bytes(out)


def base(kind) -> int:
    """What an IP length counts from: the frame's offset of its zero."""
    return 14 if kind.family == 4 else 54


def headers_that_the_length_cuts():
    for kind in kinds(TOPIC):
        for header in kind.headers[2:]:
            for place, end in (("before", header.start), ("1 byte into", header.start + 1),
                               ("half into", header.start + header.size // 2), ("1 byte short of", header.end - 1)):
                length = end - base(kind)
                if length < 0:
                    continue
                packet = with_length(kind, length)
                case(TOPIC, f"{kind.name} whose length ends {place} {header.name}", "tunnels",
                     [frame(kind.family, packet)], [], "dropped_bad_length")
                case(TOPIC, f"{kind.name} whose length and frame end {place} {header.name}", "tunnels",
                     [frame(kind.family, packet)[:end]], [], "dropped_bad_length")


def ipv4_shorter_than_its_own_header():
    for kind in kinds_of(4, TOPIC):
        for length in (0, 1, 19, kind.header("IPv4").size - 1):
            if length == 19 and kind.header("IPv4").size == 20:
                continue
            case(TOPIC, f"{kind.name} of total length {length}", "tunnels",
                 [frame(4, with_length(kind, length))], [], "dropped_bad_length")


def longer_than_the_frame():
    for kind in kinds(TOPIC):
        right = len(kind.packet) - (0 if kind.family == 4 else 40)
        for name, length in (("1 byte", right + 1), ("1000 bytes", right + 1000), ("everything", 65535)):
            case(TOPIC, f"{kind.name} whose length is too large by {name}", "tunnels",
                 [frame(kind.family, with_length(kind, length))], [], "dropped_truncated")


def shorter_but_whole():
    for kind in kinds(TOPIC):
        right = len(kind.packet) - (0 if kind.family == 4 else 40)
        for less in (1, 40):
            packet = with_length(kind, right - less)
            case(TOPIC, f"{kind.name} whose length leaves out {less} of its 40 bytes of payload", "tunnels",
                 [frame(kind.family, packet)], [by_tunnel(TUNNEL, packet[:len(packet) - less])], "forwarded")


def padding_taken_for_payload():
    for kind in kinds(TOPIC):
        right = len(kind.packet) - (0 if kind.family == 4 else 40)
        packet = with_length(kind, right + 4)
        padded = frame(kind.family, packet, pad=14 + len(packet) + 4)
        case(TOPIC, f"{kind.name} whose length takes 4 bytes of padding in", "tunnels", [padded],
             [by_tunnel(TUNNEL, padded[14:])], "forwarded")


def write():
    headers_that_the_length_cuts()
    ipv4_shorter_than_its_own_header()
    longer_than_the_frame()
    shorter_but_whole()
    padding_taken_for_payload()
