"""IPv4 options travel as they are; they only move the transport header. RFC 791 section 3.1."""
from frames import by_tunnel, frame, ip, tcp, udp
from gateways import TUNNELS
from scapy.all import Raw
from table import case

TOPIC = "ipv4_options"
OPTIONS = {
    "no-operation": b"\x01" * 4,
    "end of list": b"\x00" * 4,
    "record route": b"\x07\x07\x04" + bytes(4) + b"\x00",
    "timestamp": b"\x44\x08\x05\x00" + bytes(4),
    "loose source route, exhausted": b"\x83\x07\x08\x0a\x00\x00\x01\x00",
    "strict source route, exhausted": b"\x89\x07\x08\x0a\x00\x00\x01\x00",
    "router alert": b"\x94\x04\x00\x00",
    "stream id": b"\x88\x04\x00\x01",
    "security": b"\x82\x0b" + bytes(9) + b"\x00",
    "unknown number": b"\x9e\x04\xab\xcd",
    "length 0": b"\x07\x00\x04\x00",
    "length 1": b"\x07\x01\x04\x00",
    "length beyond the header": b"\x07\x28\x04\x00",
    "length byte missing": b"\x01\x01\x01\x07",
    "all 40 bytes": b"\x01" * 40,
}


def write():
    for tunnel in ("GUE over IPv4", "IPIP over IPv6"):
        for name, options in OPTIONS.items():
            for kind, layer in (("TCP", tcp), ("UDP", udp)):
                what = f"{kind} behind {name} in {tunnel}"
                packet = ip(4, options=[Raw(options)]) / layer(what, TUNNELS[tunnel].port)
                case(TOPIC, what, "tunnels", [frame(4, packet)], [by_tunnel(tunnel, packet)], "forwarded")
    for name in ("no-operation", "all 40 bytes"):
        packet = ip(4, options=[Raw(OPTIONS[name])]) / tcp(name, 79)
        case(TOPIC, f"TCP behind {name} to a port without service", "tunnels", [frame(4, packet)], [],
             "dropped_no_service")
        for ttl in (0, 1):
            packet = ip(4, ttl=ttl, options=[Raw(OPTIONS[name])]) / tcp(name, 80)
            case(TOPIC, f"TCP behind {name} with TTL {ttl}", "tunnels", [frame(4, packet)], [], "dropped_ttl_expired")
