"""What TCP and UDP headers may hold: a layer 4 balancer needs the ports and the first flags, the rest is between the
ends. Only what is not there at all is refused (truncated, lengths)."""
from frames import aged, by_tunnel, frame, ip, tcp, udp
from gateways import TUNNELS
from kinds import bent
from scapy.all import TCP, UDP, raw
from table import case, number_of

TOPIC = "transport"
TUNNEL = "GUE over IPv4"
PORT = TUNNELS[TUNNEL].port


def _passes(what, family, packet, **more):
    case(TOPIC, what, "tunnels", [frame(family, packet)], [by_tunnel(TUNNEL, packet, **more)], "forwarded")


def odd_flags():
    for family in (4, 6):
        for name, flags in (("no flags", ""), ("all flags", "FSRPAUEC"), ("SYN and FIN", "SF"), ("SYN and RST", "SR"),
                            ("FIN alone", "F"), ("SYN with ECN", "SEC"), ("SYN with ACK", "SA"), ("URG", "UA")):
            what = f"IPv{family} TCP with {name}"
            _passes(what, family, ip(family) / tcp(what, PORT, flags))


def lying_data_offset():
    for family in (4, 6):
        for words in (0, 4, 6, 15):
            what = f"IPv{family} TCP whose data offset is {words}"
            _passes(what, family, ip(family) / TCP(sport=number_of(what, 1024, 65000), dport=PORT, dataofs=words))


def tcp_options():
    for family in (4, 6):
        what = f"IPv{family} SYN with the usual options"
        _passes(what, family, ip(family) / TCP(sport=number_of(what, 1024, 65000), dport=PORT, flags="S", options=[
            ("MSS", 1460), ("SAckOK", b""), ("Timestamp", (1, 0)), ("NOP", None), ("WScale", 7)]))


def lying_udp_length():
    for family in (4, 6):
        for length in (0, 7, 9, 12, 65535):
            what = f"IPv{family} UDP that says its length is {length}"
            _passes(what, family,
                    ip(family) / UDP(sport=number_of(what, 1024, 65000), dport=PORT, len=length) / b"ping")


def checksums():
    for family in (4, 6):
        for kind, layer in (("TCP", tcp), ("UDP", udp)):
            for name, value in (("wrong", 0x1234), ("zero", 0)):
                what = f"IPv{family} {kind} with a {name} checksum"
                packet = ip(family) / layer(what, PORT)
                packet[kind].chksum = value
                _passes(what, family, packet)


def wrong_ipv4_header_checksum_stays_wrong():
    """RFC 1624: the update keeps an error an error, for the backend to find."""
    for name, error in (("too large by 1", 1), ("too large by 0x5500", 0x5500), ("too small by 1", 0xFFFE)):
        what = f"IPv4 header checksum {name}"
        good = raw(ip(4) / tcp(what, PORT))
        bad = _with_error(good, error)
        _passes(what, 4, bad, after_aging=_with_error(aged(good), error))


def _with_error(packet: bytes, error: int) -> bytes:
    value = int.from_bytes(packet[10:12], "big") + error
    value = (value & 0xFFFF) + (value >> 16)  # ones' complement
    return bent(packet, at10=value >> 8, at11=value & 255)


def extreme_ports():
    for family in (4, 6):
        for kind, layer in (("TCP", TCP), ("UDP", UDP)):
            for port in (0, 1, 80, 65535):
                what = f"IPv{family} {kind} from port {port}"
                _passes(what, family, ip(family) / layer(sport=port, dport=PORT))
            for port in (0, 1, 65535):
                case(TOPIC, f"IPv{family} {kind} to port {port}", "tunnels",
                     [frame(family, ip(family) / layer(sport=1024, dport=port))], [], "dropped_no_service")


def write():
    odd_flags()
    lying_data_offset()
    tcp_options()
    lying_udp_length()
    checksums()
    wrong_ipv4_header_checksum_stays_wrong()
    extreme_ports()
