"""DSCP and ECN go to the outer header as they are: RFC 2983 (uniform), RFC 6040 (normal mode)."""
from frames import by_tunnel, frame, ip, tcp
from gateways import TUNNELS
from table import case

TOPIC = "traffic_class"
DSCP = {"best effort": 0, "CS1": 8, "AF41": 34, "EF": 46, "CS7": 56, "63": 63}
ECN = {"Not-ECT": 0, "ECT(1)": 1, "ECT(0)": 2, "CE": 3}


def every_ecn_codepoint():
    for name, tunnel in TUNNELS.items():
        for family in (4, 6):
            for ecn, value in ECN.items():
                what = f"IPv{family} {ecn} in {name}"
                packet = ip(family, **{"tos" if family == 4 else "tc": value}) / tcp(what, tunnel.port, "A")
                case(TOPIC, what, "tunnels", [frame(family, packet)], [by_tunnel(name, packet)], "forwarded")


def dscp_beside_ecn():
    for name in ("GUE over IPv4", "IPIP over IPv6"):
        for family in (4, 6):
            for dscp, value in DSCP.items():
                what = f"IPv{family} DSCP {dscp} with ECT(0) in {name}"
                packet = ip(family, **{"tos" if family == 4 else "tc": value << 2 | 2}) / tcp(what, TUNNELS[name].port, "A")
                case(TOPIC, what, "tunnels", [frame(family, packet)], [by_tunnel(name, packet)], "forwarded")


def write():
    every_ecn_codepoint()
    dscp_beside_ecn()
