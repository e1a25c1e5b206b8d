"""Frames longer than a buffer: in memory cut into segments at the bytes named, on the wire as the driver cuts them. All that
is read lies in the first segment; the rest follows unseen."""
from frames import by_tunnel, frame, ip, overhead, some, tcp, udp
from gateways import JUMBO_MTU, TUNNELS
from kinds import kinds
from table import Sent, case

TOPIC = "jumbo"
GATEWAY = "jumbo"


def every_tunnel():
    for name, tunnel in TUNNELS.items():
        for family in (4, 6):
            what = f"IPv{family} of 2500 bytes in {name}"
            packet = ip(family) / udp(what, tunnel.port, some(2500))
            case(TOPIC, what, GATEWAY, [Sent(frame(family, packet), first_segment=1000)], [by_tunnel(name, packet)],
                 "forwarded")


def sizes():
    for family in (4, 6):
        for size in (2049, 4000, 9000):
            for kind, layer in (("TCP", lambda w, p, d: tcp(w, p, "A", d)), ("UDP", udp)):
                what = f"IPv{family} {kind} of {size} bytes of payload"
                packet = ip(family) / layer(what, 80, some(size))
                case(TOPIC, what, GATEWAY, [Sent(frame(family, packet), first_segment=2048)],
                     [by_tunnel("GUE over IPv4", packet)], "forwarded")
        what = f"IPv{family} of exactly the jumbo MTU"
        packet = ip(family) / udp(what, 80, some(JUMBO_MTU - overhead("GUE over IPv4") - {4: 28, 6: 48}[family]))
        case(TOPIC, what, GATEWAY, [Sent(frame(family, packet), first_segment=2048)],
             [by_tunnel("GUE over IPv4", packet)], "forwarded")


def first_segment_ends_anywhere():
    for kind in kinds(TOPIC):
        last = kind.headers[-1]
        for name, cut in (("behind the headers", last.end), ("1 byte behind them", last.end + 1),
                          ("1 byte before the end", len(kind.frame) - 1)):
            case(TOPIC, f"{kind.name} whose first segment ends {name}", "tunnels",
                 [Sent(kind.frame, first_segment=cut)], [by_tunnel("GUE over IPv4", kind.packet)], "forwarded",
                 memory_only=True)
        case(TOPIC, f"{kind.name} whose first segment ends inside the transport header", "tunnels",
             [Sent(kind.frame, first_segment=last.start + 2)], [], "dropped_truncated", memory_only=True)


def padding_in_the_second_segment():
    for family in (4, 6):
        packet = ip(family) / udp(TOPIC, 80, some(40))
        whole = frame(family, packet, pad=200)
        for cut in (len(frame(family, packet)), 150):
            case(TOPIC, f"IPv{family} whose padding alone is in a second segment from byte {cut}", "tunnels",
                 [Sent(whole, first_segment=cut)], [by_tunnel("GUE over IPv4", packet)], "forwarded", memory_only=True)


def write():
    every_tunnel()
    sizes()
    first_segment_ends_anywhere()
    padding_in_the_second_segment()
