"""The gateway forwards: TTL and hop limit go down by one, and what arrives with 0 or 1 goes no further (RFC 1812
section 5.3.1, RFC 8200 section 3). Which of the two, an answer or silence, is icmp's business."""
from frames import by_tunnel, frame, ip, tcp, udp
from gateways import TUNNELS
from table import case

TOPIC = "time_to_live"


def ttl(family, value):
    return {"ttl" if family == 4 else "hlim": value}


def write():
    for name in ("GUE over IPv4", "IPIP over IPv6"):
        for family in (4, 6):
            for kind, transport in (("TCP", tcp), ("UDP", udp)):
                for value in (2, 3, 64, 128, 255):
                    what = f"IPv{family} {kind} with TTL {value} in {name}"
                    packet = ip(family, **ttl(family, value)) / transport(what, TUNNELS[name].port)
                    case(TOPIC, what, "tunnels", [frame(family, packet)], [by_tunnel(name, packet)], "forwarded")
                for value in (0, 1):
                    what = f"IPv{family} {kind} with TTL {value} to {name}"
                    packet = ip(family, **ttl(family, value)) / transport(what, TUNNELS[name].port)
                    case(TOPIC, what, "tunnels", [frame(family, packet)], [], "dropped_ttl_expired")
