"""Services of a prefix, a range of ports or every port. Of the keys that match the one with the longest prefix counts;
among those one port goes before a range, a range before every port (include/penstock/config/vip_key.h)."""
from frames import frame, ip, tcp, tunnelled, udp
from gateways import WIDE
from table import case

TOPIC = "wide_services"
LAYER = {"TCP": tcp, "UDP": udp}


def _goes(what, protocol, to, port, name):
    family = 6 if ":" in to else 4
    packet = ip(family, dst=to) / LAYER[protocol](what, port)
    expect = [tunnelled(packet, "IPIP", WIDE[name].backend)] if name in WIDE else []
    case(TOPIC, what, "wide", [frame(family, packet)], expect, "forwarded" if expect else name)


def longest_prefix():
    for to, name in (("203.0.113.0", "/24 port 80"), ("203.0.113.1", "/24 port 80"), ("203.0.113.127", "/24 port 80"),
                     ("203.0.113.128", "/25 port 80"), ("203.0.113.199", "/25 port 80"), ("203.0.113.200", "/32 port 80"),
                     ("203.0.113.201", "/25 port 80"), ("203.0.113.255", "/25 port 80"), ("203.0.112.255", "not_vip"),
                     ("203.0.114.0", "not_vip"), ("198.18.0.1", "not_vip"), ("198.18.0.2", "/31"), ("198.18.0.3", "/31"),
                     ("198.18.0.4", "not_vip"), ("11.0.0.0", "/8"), ("11.255.255.255", "/8"), ("12.0.0.0", "not_vip"),
                     ("10.255.255.255", "not_vip"), ("2001:db8:beef::", "/64 port 80"), ("2001:db8:beef::1", "/64 port 80"),
                     ("2001:db8:beef:0:7fff:ffff:ffff:ffff", "/64 port 80"), ("2001:db8:beef:0:8000::", "/65 port 80"),
                     ("2001:db8:beef:0:ffff:ffff:ffff:ffff", "/65 port 80"), ("2001:db8:beef::10", "/128 port 80"),
                     ("2001:db8:beef::11", "/64 port 80"), ("2001:db8:beef:1::", "not_vip"),
                     ("2001:db8:beee:ffff:ffff:ffff:ffff:ffff", "not_vip"), ("2001:db9::", "/32 of IPv6"),
                     ("2001:db9:ffff:ffff:ffff:ffff:ffff:ffff", "/32 of IPv6"), ("2001:dba::", "not_vip"),
                     ("2001:db8:aaaa::1", "not_vip"), ("2001:db8:aaaa::2", "/127"), ("2001:db8:aaaa::3", "/127"),
                     ("2001:db8:aaaa::4", "not_vip")):
        _goes(f"port 80 of {to}".replace("::", ":0:"), "TCP", to, 80, name)


def ports():
    for port, name in ((7999, "/24 every port"), (8000, "/24 range"), (8001, "/24 range"), (8079, "/24 range"),
                       (8080, "/24 port inside the range"), (8081, "/24 range"), (8999, "/24 range"),
                       (9000, "/24 range after"), (9001, "/24 range after"), (9002, "/24 every port"),
                       (1, "/24 every port"), (0, "/24 every port"), (65535, "/24 every port")):
        _goes(f"TCP port {port} of a /24", "TCP", "203.0.113.77", port, name)
    for port, name in ((53, "/24 UDP"), (52, "dropped_no_service"), (54, "dropped_no_service"),
                       (80, "dropped_no_service")):
        _goes(f"UDP port {port} of a /24", "UDP", "203.0.113.77", port, name)
    for port, name in ((999, "/64 every port"), (1000, "/64 range"), (1999, "/64 range"), (2000, "/64 every port")):
        _goes(f"UDP port {port} of a /64", "UDP", "2001:db8:beef::77", port, name)
    _goes("TCP port 81 of a /64", "TCP", "2001:db8:beef::77", 81, "dropped_no_service")


def address_before_port():
    """The longest prefix of those that match: a host's range goes before the exact port of the prefix around it."""
    for port, name in ((8080, "/24 port inside the range"), (8081, "/32 range"), (8090, "/32 range"),
                       (8091, "/24 range"), (80, "/25 port 80"), (443, "/24 every port")):
        _goes(f"TCP port {port} of a host with a range", "TCP", "203.0.113.201", port, name)
    for port in (53, 1, 65535):
        _goes(f"UDP port {port} of a host with every port", "UDP", "203.0.113.202", port, "/32 every port")
    for port, name in ((53, "/24 UDP"), (64999, "dropped_no_service"), (65000, "/32 last ports"),
                       (65535, "/32 last ports")):
        _goes(f"UDP port {port} of a host with the last ports", "UDP", "203.0.113.203", port, name)


def write():
    longest_prefix()
    ports()
    address_before_port()
