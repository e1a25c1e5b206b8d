"""Which service a packet belongs to, and which backends a flow may have. One backend where bytes are compared; of
several the keyed hash picks one, and the flow keeps it."""
from frames import frame, ip, tcp, tunnelled, udp
from gateways import BACKEND, POOLS
from scapy.all import raw
from table import Expected, Step, case, steps_case

TOPIC = "services"


def lookup():
    packet = ip(4) / tcp("lookup", 80)
    case(TOPIC, "TCP service by TCP", "pools", [frame(4, packet)], [tunnelled(packet, "IPIP", BACKEND[4])], "forwarded")
    packet = ip(4) / udp("lookup", 81)
    case(TOPIC, "UDP service by UDP", "pools", [frame(4, packet)], [tunnelled(packet, "IPIP", BACKEND[4])], "forwarded")
    for what, packet in (
            ("TCP service by UDP", ip(4) / udp("lookup", 80)), ("UDP service by TCP", ip(4) / tcp("lookup", 81)),
            ("port of another VIP's service", ip(4) / tcp("lookup", 82)),
            ("port next to a service", ip(4) / tcp("lookup", 79)),
            ("port of the service with its bytes swapped", ip(4) / tcp("lookup", 80 << 8)),
            ("IPv4 service's port on the IPv6 VIP", ip(6) / tcp("lookup", 80))):
        case(TOPIC, what, "pools", [frame(packet.version, packet)], [], "dropped_no_service")


def protocols_without_a_service():
    for family in (4, 6):
        for name, number in (("IGMP", 2), ("IPv4 in IP", 4), ("IPv6 in IP", 41), ("GRE", 47), ("ESP", 50), ("EIGRP", 88),
                             ("SCTP", 132), ("UDP-Lite", 136), ("experimental", 253), ("reserved", 255)):
            packet = raw(ip(family, **{"proto" if family == 4 else "nh": number}) / bytes(40))
            case(TOPIC, f"IPv{family} protocol {name}", "pools", [frame(family, packet)], [], "dropped_no_service")
    packet = raw(ip(6, nh=59) / bytes(8))
    case(TOPIC, "IPv6 no next header", "pools", [frame(6, packet)], [], "dropped_no_service")


def _among(packet, port, flow) -> Expected:
    members = [a for a, weight, drained in POOLS[port].values() if weight > 0 and not drained]
    ways = [tunnelled(packet, "IPIP", to) for to in members]
    free = max((w.free for w in ways), key=len)
    assert all(not w.free for w in ways) or len({len(w.free) for w in ways}) == 1
    return Expected([w.any_of[0] for w in ways], flow, free)


def a_flow_keeps_its_backend():
    for family in (4, 6):
        for number in range(8):
            what = f"IPv{family} flow {number} keeps one of three backends"
            segments = [ip(family) / tcp(what, 90, flags) for flags in ("S", "A", "PA", "FA", "A", "R")]
            steps_case(TOPIC, what, "pools", [
                Step([frame(family, s)], [_among(s, 90, "one")], {"forwarded": 1}) for s in segments])
        what = f"IPv{family} UDP flow keeps one of three backends"
        datagrams = [ip(family) / udp(what, 90, bytes(n)) for n in range(4)]
        case(TOPIC, what, "pools", [frame(family, d) for d in datagrams], [_among(d, 90, "one") for d in datagrams],
             "forwarded")


def one_burst_of_many_flows():
    what = "32 flows in one burst, each to one of three backends"
    packets = [ip(4, src=f"198.51.100.{n}") / tcp(what, 90) for n in range(1, 33)]
    case(TOPIC, what, "pools", [frame(4, p) for p in packets],
         [_among(p, 90, str(n)) for n, p in enumerate(packets)], "forwarded")


def drained_and_weightless_backends():
    for family in (4, 6):
        for number in range(4):
            what = f"IPv{family} new flow {number} goes to the backend that takes flows"
            packet = ip(family) / tcp(what, 91)
            case(TOPIC, what, "pools", [frame(family, packet)], [_among(packet, 91, "")], "forwarded")
        for kind, layer in (("TCP", tcp), ("UDP", udp)):
            what = f"IPv{family} {kind} of a service that takes no flow"
            case(TOPIC, what, "pools", [frame(family, ip(family) / layer(what, 92))], [], "dropped_no_backend")
        packet = ip(family) / tcp(f"late{family}", 92, "A")
        case(TOPIC, f"IPv{family} ACK without a flow to a service that takes none", "pools", [frame(family, packet)], [],
             "dropped_no_backend")


def write():
    lookup()
    protocols_without_a_service()
    a_flow_keeps_its_backend()
    one_burst_of_many_flows()
    drained_and_weightless_backends()
