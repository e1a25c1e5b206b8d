"""The gateways of the cases: configurations as JSON documents, and where their packets leave."""
import base64
from dataclasses import dataclass

# The MAC that DPDK's net_pcap gives its first port.
GATEWAY_MAC, NEIGHBOUR_MAC, ROUTER_MAC = "02:70:63:61:70:00", "02:00:00:00:00:b0", "02:00:00:00:00:22"
SOURCE = {4: "192.0.2.1", 6: "2001:db8:ff::1"}
BACKEND = {4: "10.0.1.1", 6: "2001:db8:1::1"}
VIP = {4: "203.0.113.10", 6: "2001:db8:beef::10"}
CLIENT = {4: "198.51.100.7", 6: "2001:db8:c11e::7"}
MTU = 1600
PROTOCOL = {"TCP": 6, "UDP": 17, "SCTP": 132}


@dataclass(frozen=True)
class Tunnel:
    """A port of the VIPs, TCP and UDP, whose service has one backend."""
    port: int
    encap: str
    outer: int  # IP version


TUNNELS = {
    "GUE over IPv4": Tunnel(80, "GUE", 4),
    "GUE over IPv6": Tunnel(81, "GUE", 6),
    "IPIP over IPv4": Tunnel(82, "IPIP", 4),
    "IPIP over IPv6": Tunnel(83, "IPIP", 6),
}


def service(name: str, vip: str, protocol: str, port: int, encap: str, backends: list, **more) -> dict:
    return {"id": name, "vip": vip, "protocol": protocol, "port": port, "encap": encap, "backends": backends, **more}


def backend(address: str, name: str = "be1", weight: int = 1, **more) -> dict:
    return {"id": name, "address": address, "weight": weight, **more}


def gateway(name: str, services: list, arguments: list = (), mtu: int = MTU) -> dict:
    out = {
        "name": name,
        "config": {"epoch": "1", "generation": "1", "hash_key": base64.b64encode(bytes(range(32))).decode(),
                   "services": services},
        "mac": GATEWAY_MAC, "neighbour_mac": NEIGHBOUR_MAC, "source_v4": SOURCE[4], "source_v6": SOURCE[6],
        "mtu": mtu,
    }
    if arguments:
        out["arguments"] = list(arguments)
    return out


def tunnels() -> dict:
    """Every tunnel on both VIPs, TCP and UDP."""
    services = []
    for tunnel in TUNNELS.values():
        for family in (4, 6):
            for protocol in ("TCP", "UDP"):
                services.append(service(f"{protocol.lower()}{family}-{tunnel.port}", VIP[family], protocol, tunnel.port,
                                        tunnel.encap, [backend(BACKEND[tunnel.outer])]))
    return gateway("tunnels", services)


# Services of several backends: port -> backends, name -> (address, weight, drained).
POOLS = {
    90: {"be1": ("10.0.2.1", 1, False), "be2": ("10.0.2.2", 1, False), "be3": ("10.0.2.3", 1, False)},
    91: {"be1": ("10.0.2.1", 1, True), "be2": ("10.0.2.2", 0, False), "be3": ("10.0.2.3", 1, False)},
    92: {"be1": ("10.0.2.1", 1, True), "be2": ("10.0.2.2", 0, False)},
}


def pools() -> dict:
    services = [service("tcp4-80", VIP[4], "TCP", 80, "IPIP", [backend(BACKEND[4])]),
                service("udp4-81", VIP[4], "UDP", 81, "IPIP", [backend(BACKEND[4])]),
                service("tcp4-82-other", "203.0.113.11", "TCP", 82, "IPIP", [backend(BACKEND[4])])]
    for family in (4, 6):
        for port, members in POOLS.items():
            for protocol in ("TCP", "UDP"):
                services.append(service(f"{protocol.lower()}{family}-{port}", VIP[family], protocol, port, "IPIP", [
                    backend(address, name, weight, drain=drained) for name, (address, weight, drained) in members.items()
                ]))
    return gateway("pools", services)


def all_gateways() -> list:
    return [tunnels(), pools()]
