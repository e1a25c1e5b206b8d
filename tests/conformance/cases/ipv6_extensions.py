"""IPv6 extension headers in front of what a VIP serves: RFC 8200 section 4. They travel as they are; they only move the
transport header. What sends a packet elsewhere, or hides its end, is refused."""
from frames import by_tunnel, frame, ip, tcp, udp
from gateways import TUNNELS
from kinds import bent
from scapy.all import (Pad1, PadN, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, IPv6ExtHdrRouting,
                       IPv6ExtHdrSegmentRouting, RouterAlert, raw)
from table import case

TOPIC = "ipv6_extensions"
ELSEWHERE = "2001:db8:5::5"


def hop_by_hop(options=()):
    return IPv6ExtHdrHopByHop(options=list(options) or [PadN(optdata=bytes(4))])


def destination(size: int = 4):
    return IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(size))])


def routing(kind: int, left: int, addresses=(ELSEWHERE,)):
    return IPv6ExtHdrRouting(type=kind, segleft=left, addresses=list(addresses))


def chained(*headers):
    packet = ip(6)
    for header in headers:
        packet = packet / header
    return packet


PASSING = {
    "hop-by-hop with padding": [hop_by_hop()],
    "hop-by-hop with Pad1": [hop_by_hop([Pad1()] * 6)],
    "hop-by-hop with router alert": [hop_by_hop([RouterAlert()])],
    "hop-by-hop of 64 bytes": [hop_by_hop([PadN(optdata=bytes(60))])],
    "destination options": [destination()],
    "destination options of 264 bytes": [destination(255)],
    "hop-by-hop and destination options": [hop_by_hop(), destination(12)],
    "destination options twice": [destination(), destination(20)],
    "exhausted routing header of type 0": [routing(0, 0)],
    "exhausted routing header of type 2": [routing(2, 0)],
    "exhausted routing header of an unknown type": [routing(200, 0)],
    "exhausted routing header without addresses": [routing(0, 0, ())],
    "exhausted segment routing header": [IPv6ExtHdrSegmentRouting(segleft=0, lastentry=0, addresses=[ELSEWHERE])],
    "hop-by-hop, destination options, exhausted routing, destination options": [
        hop_by_hop(), destination(), routing(0, 0), destination()],
    "atomic fragment header": [IPv6ExtHdrFragment(offset=0, m=0, id=0x12345678)],
    "destination options behind an atomic fragment header": [IPv6ExtHdrFragment(id=7), destination()],
    "hop-by-hop and an atomic fragment header": [hop_by_hop(), IPv6ExtHdrFragment(id=9)],
}

REFUSED = {
    "routing header of type 0 with a hop left": [routing(0, 1)],
    "routing header of type 2 with a hop left": [routing(2, 1)],
    "routing header of type 0 with 255 hops left": [routing(0, 255)],
    "segment routing header with a hop left": [
        IPv6ExtHdrSegmentRouting(segleft=1, lastentry=1, addresses=[ELSEWHERE, ELSEWHERE])],
    "hop-by-hop twice": [hop_by_hop(), hop_by_hop()],
    "hop-by-hop behind destination options": [destination(), hop_by_hop()],
    "hop-by-hop behind an atomic fragment header": [IPv6ExtHdrFragment(id=1), hop_by_hop()],
    "five headers": [destination()] * 5,
    "routing header with a hop left behind options": [hop_by_hop(), destination(), routing(0, 1)],
}


def what_passes():
    for tunnel in ("GUE over IPv4", "IPIP over IPv6"):
        for name, headers in PASSING.items():
            for kind, layer in (("TCP", tcp), ("UDP", udp)):
                what = f"{kind} behind {name} in {tunnel}"
                packet = chained(*headers, layer(what, TUNNELS[tunnel].port))
                case(TOPIC, what, "tunnels", [frame(6, packet)], [by_tunnel(tunnel, packet)], "forwarded")


def what_is_refused():
    for name, headers in REFUSED.items():
        for kind, layer in (("TCP", tcp), ("UDP", udp)):
            case(TOPIC, f"{kind} behind {name}", "tunnels", [frame(6, chained(*headers, layer(name, 80)))], [],
                 "dropped_extension_header")


def lengths_that_lie():
    for name, header in (("hop-by-hop", hop_by_hop()), ("destination options", destination()),
                         ("exhausted routing header", routing(0, 0, ()))):
        packet = raw(chained(header, tcp(name, 80)))
        for words in (4, 100, 255):
            case(TOPIC, f"{name} whose length of {words} goes beyond the packet", "tunnels",
                 [frame(6, bent(packet, at41=words))], [], "dropped_bad_length")


def nothing_to_balance_behind():
    for name, headers in (("hop-by-hop", [hop_by_hop()]), ("destination options", [destination()]),
                          ("atomic fragment header", [IPv6ExtHdrFragment(id=5)])):
        for protocol, number in (("no next header", 59), ("ESP", 50), ("authentication header", 51), ("GRE", 47),
                                 ("IPv4", 4), ("mobility header", 135), ("HIP", 139)):
            *front, last = [h.copy() for h in headers]
            last.nh = number
            case(TOPIC, f"{protocol} behind {name}", "tunnels", [frame(6, chained(*front, last) / bytes(24))], [],
                 "dropped_no_service")


def hop_limit_and_port_are_asked_all_the_same():
    for name in ("hop-by-hop with padding", "destination options", "atomic fragment header"):
        for limit in (0, 1):
            packet = ip(6, hlim=limit)
            for header in PASSING[name]:
                packet = packet / header
            case(TOPIC, f"TCP behind {name} with hop limit {limit}", "tunnels", [frame(6, packet / tcp(name, 80))], [],
                 "dropped_ttl_expired")
        case(TOPIC, f"TCP behind {name} to a port without service", "tunnels",
             [frame(6, chained(*PASSING[name], tcp(name, 79)))], [], "dropped_no_service")


def write():
    what_passes()
    what_is_refused()
    lengths_that_lie()
    nothing_to_balance_behind()
    hop_limit_and_port_are_asked_all_the_same()
