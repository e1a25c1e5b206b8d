"""What the lab consists of: names, addresses, links and services. Data only; nothing here touches the system.

    client -- router == gw1, gw2 (ECMP over BGP), gw3 (linked and known to the router, but nothing runs there until
                 |                a scenario lets it join)
                 |----- be1, be2, be3 (direct server return), be4, be5, be6 (linked, but nothing runs there until a
                 |                scenario of load lets them join)
                 |----- ctl (control plane)

Every host has one link to the router, named eth0 on its side and after the host on the router's side.
Subnet n carries 10.0.n.0/24 and 2001:db8:0:n::/64; the router is .1 / ::1, the host .2 / ::2.
VIPs come from the documentation ranges of RFC 5737 and RFC 3849.
"""
from __future__ import annotations

from dataclasses import dataclass

PREFIX = "penstock-"
ROUTER = "router"
VIP4 = "203.0.113.10"
VIP6 = "2001:db8:ffff::10"

CLIENT_MTU = 1500
# A full-size client packet still fits after the largest encapsulation: IPv6 + UDP + GUE with three IPv6 hops, 108 bytes.
INNER_MTU = 1700

ROUTER_AS = 64512
GATEWAY_AS = 64513


@dataclass(frozen=True)
class Host:
    name: str
    subnet: int
    mtu: int

    @property
    def namespace(self) -> str:
        return PREFIX + self.name

    @property
    def ipv4(self) -> str:
        return f"10.0.{self.subnet}.2"

    @property
    def ipv6(self) -> str:
        return f"2001:db8:0:{self.subnet}::2"

    @property
    def router_ipv4(self) -> str:
        return f"10.0.{self.subnet}.1"

    @property
    def router_ipv6(self) -> str:
        return f"2001:db8:0:{self.subnet}::1"


CLIENT = Host("client", 1, CLIENT_MTU)
CTL = Host("ctl", 9, CLIENT_MTU)
GATEWAYS = [Host("gw1", 11, INNER_MTU), Host("gw2", 12, INNER_MTU)]
BACKENDS = [Host("be1", 31, INNER_MTU), Host("be2", 32, INNER_MTU), Host("be3", 33, INNER_MTU)]
JOINING = Host("gw3", 13, INNER_MTU)  # its processes run in the scenario gateway-join only
# Theirs in the scenarios of load only.
JOINING_BACKENDS = [Host("be4", 34, INNER_MTU), Host("be5", 35, INNER_MTU), Host("be6", 36, INNER_MTU)]
HOSTS = [CLIENT, CTL, *GATEWAYS, JOINING, *BACKENDS, *JOINING_BACKENDS]
NAMESPACES = [PREFIX + ROUTER] + [h.namespace for h in HOSTS]

WEIGHTS = {"be1": 1, "be2": 2, "be3": 3}


@dataclass(frozen=True)
class LabService:
    id: str
    vip: str
    protocol: str
    port: int
    encap: str
    outer: int  # address family of the way to the backend; all four crossings with the VIP's occur

    def document(self, weights: dict[str, int] = WEIGHTS) -> dict:
        """The service as the REST API takes it."""
        return {
            "id": self.id,
            "vip": self.vip,
            "protocol": self.protocol,
            "port": self.port,
            "encap": self.encap,
            # The hosts share one machine's CPUs: that these are busy, or that one waits for its turn, tells nothing of
            # one backend, and shares are tested. The scenarios of health bring services of their own.
            "health": {"hot": {"enabled": False}, "breaker": {"enabled": False}},
            # The one client uses its ports again within minutes, and a gateway that a connection has left through the
            # router would still remember where it went.
            "idle_timeouts": {"tcp_established_seconds": 20},
            "backends": [
                {"id": b.name, "address": b.ipv4 if self.outer == 4 else b.ipv6, "weight": weights[b.name]}
                for b in BACKENDS
            ],
        }


SERVICES = [
    LabService("web4", VIP4, "tcp", 80, "gue", 4),
    LabService("web6", VIP6, "tcp", 80, "ipip", 4),
    LabService("echo4", VIP4, "udp", 7, "ipip", 6),
    LabService("echo6", VIP6, "udp", 7, "gue", 6),
    LabService("flow4", VIP4, "tcp", 7, "gue", 4),
    LabService("flow6", VIP6, "tcp", 7, "gue", 6),
]


# Where the gateways' NAT sends from: addresses of their own, routed to each by the router.
NAT_SOURCES = {"gw1": ("192.0.2.11", "2001:db8:aaaa::11"), "gw2": ("192.0.2.12", "2001:db8:aaaa::12"),
               "gw3": ("192.0.2.13", "2001:db8:aaaa::13")}

# Where gateways tell each other of their flows: UDP and TCP.
SYNC_PORT = 6082


def host(name: str) -> Host:
    return next(h for h in HOSTS if h.name == name)


def namespace(name: str) -> str:
    """Accepts gw1 as well as penstock-gw1."""
    short = name.removeprefix(PREFIX)
    if PREFIX + short not in NAMESPACES:
        raise KeyError(f"{name}: no such namespace; there are {', '.join(NAMESPACES)}")
    return PREFIX + short
