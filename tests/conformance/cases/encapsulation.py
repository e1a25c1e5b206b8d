"""Every tunnel, with packets of both families inside: RFC 2003, 2473, 4213, 2784, 2890, 7348 and GUE; the outer UDP checksum
of RFC 6935."""
from frames import by_tunnel, frame, ip, overhead, some, tcp, udp
from gateways import MTU, TUNNELS
from table import Step, case, steps_case

TOPIC = "encapsulation"


def _packets(what, family, port):
    yield "SYN", ip(family) / tcp(what + "SYN", port)
    yield "data", ip(family) / tcp(what + "data", port, "PA", b"GET / HTTP/1.1\r\n\r\n")
    yield "FIN", ip(family) / tcp(what + "FIN", port, "FA")
    yield "RST", ip(family) / tcp(what + "RST", port, "R")
    yield "UDP datagram", ip(family) / udp(what + "UDP", port)
    yield "UDP without payload", ip(family) / udp(what + "empty", port, b"")
    yield "UDP of an odd number of bytes", ip(family) / udp(what + "odd", port, some(301))


def each_packet_in_each_tunnel():
    for name, tunnel in TUNNELS.items():
        for family in (4, 6):
            for kind, packet in _packets(f"{name}{family}", family, tunnel.port):
                case(TOPIC, f"IPv{family} {kind} in {name}", "tunnels", [frame(family, packet)],
                     [by_tunnel(name, packet)], "forwarded")


def entropy_stays_within_a_flow():
    for name, tunnel in TUNNELS.items():
        for family in (4, 6):
            what = f"IPv{family} flow in {name} keeps its outer source port and label"
            segments = [ip(family) / tcp(what, tunnel.port, flags, payload)
                        for flags, payload in (("S", b""), ("A", b""), ("PA", some(100)), ("FA", b""))]
            steps_case(TOPIC, what, "tunnels", [
                Step([frame(family, s) for s in part], [by_tunnel(name, s, flow="one") for s in part],
                     {"forwarded": len(part)}) for part in (segments[:1], segments[1:])])


def the_longest_that_fits():
    for name, tunnel in TUNNELS.items():
        for family in (4, 6):
            what = f"IPv{family} of exactly the MTU in {name}"
            payload = MTU - overhead(name) - {4: 20, 6: 40}[family] - 8
            packet = ip(family) / udp(what, tunnel.port, some(payload))
            case(TOPIC, what, "tunnels", [frame(family, packet)], [by_tunnel(name, packet)], "forwarded")


def write():
    each_packet_in_each_tunnel()
    entropy_stays_within_a_flow()
    the_longest_that_fits()
