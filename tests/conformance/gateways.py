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
JUMBO_MTU = 9600
NARROW_MTU = 1280
PROTOCOL = {"TCP": 6, "UDP": 17, "SCTP": 132}


@dataclass(frozen=True)
class Tunnel:
    """A port of the VIPs, TCP and UDP, whose service has one backend."""
    port: int
    encap: str
    outer: int  # IP version; 0: there is no outer packet, the backend is of the VIP's family
    checksum: bool = False  # GUE, VXLAN: of the outer UDP
    key: int = None  # GRE
    vni: int = 0  # VXLAN
    mac: str = ""  # VXLAN: where the inner frame goes


TUNNELS = {
    "GUE over IPv4": Tunnel(80, "GUE", 4),
    "GUE over IPv6": Tunnel(81, "GUE", 6),
    "IPIP over IPv4": Tunnel(82, "IPIP", 4),
    "IPIP over IPv6": Tunnel(83, "IPIP", 6),
    "GUE with checksum over IPv4": Tunnel(84, "GUE", 4, checksum=True),
    "GUE with checksum over IPv6": Tunnel(85, "GUE", 6, checksum=True),
    "GRE over IPv4": Tunnel(86, "GRE", 4),
    "GRE over IPv6": Tunnel(87, "GRE", 6),
    "GRE with key over IPv4": Tunnel(88, "GRE", 4, key=0xDEADBEEF),
    "GRE with key 0 over IPv6": Tunnel(89, "GRE", 6, key=0),
    "VXLAN over IPv4": Tunnel(90, "VXLAN", 4, vni=1, mac="02:00:00:00:01:01"),
    "VXLAN over IPv6": Tunnel(91, "VXLAN", 6, vni=0xFFFFFF, mac="02:00:00:00:01:01"),
    "VXLAN with checksum over IPv4": Tunnel(92, "VXLAN", 4, checksum=True, vni=0x123456, mac="02:00:00:00:01:01"),
    "VXLAN with checksum over IPv6": Tunnel(93, "VXLAN", 6, checksum=True, vni=0x123456, mac="02:00:00:00:01:01"),
    "L2DSR": Tunnel(94, "L2DSR", 0),
}


def forwarding(tunnel: Tunnel, too_big: str = "") -> dict:
    out = {"too_big": too_big} if too_big and tunnel.outer else {}
    if tunnel.checksum:
        out["udp_checksum"] = True
    if tunnel.key is not None:
        out["gre_key"] = tunnel.key
    if tunnel.vni:
        out["vxlan_vni"] = tunnel.vni
    return {"forwarding": out} if out else {}


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


def tunnels(name: str = "tunnels", mtu: int = MTU, arguments=(), too_big: str = "") -> dict:
    """Every tunnel on both VIPs, TCP and UDP."""
    services = []
    for tunnel in TUNNELS.values():
        for family in (4, 6):
            for protocol in ("TCP", "UDP"):
                to = backend(BACKEND[tunnel.outer or family], **({"mac": tunnel.mac} if tunnel.mac else {}))
                services.append(service(f"{protocol.lower()}{family}-{tunnel.port}", VIP[family], protocol, tunnel.port,
                                        tunnel.encap, [to], **forwarding(tunnel, too_big)))
    return gateway(name, services, arguments, mtu)


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


@dataclass(frozen=True)
class Wide:
    """A service of many addresses or ports. Each has a backend of its own, so that the bytes tell who matched."""
    vip: str
    protocol: str
    port: int
    last_port: int
    backend: str


# In the order of their names: the second octet from the right of the backend is the number.
WIDE = {name: Wide(*key, f"10.1.{number}.1") for number, (name, key) in enumerate({
    "/24 port 80": ("203.0.113.0/24", "TCP", 80, 0),
    "/25 port 80": ("203.0.113.128/25", "TCP", 80, 0),
    "/32 port 80": ("203.0.113.200", "TCP", 80, 0),
    "/24 range": ("203.0.113.0/24", "TCP", 8000, 8999),
    "/24 range after": ("203.0.113.0/24", "TCP", 9000, 9001),
    "/24 port inside the range": ("203.0.113.0/24", "TCP", 8080, 0),
    "/24 every port": ("203.0.113.0/24", "TCP", 0, 0),
    "/24 UDP": ("203.0.113.0/24", "UDP", 53, 0),
    "/32 range": ("203.0.113.201", "TCP", 8081, 8090),
    "/32 every port": ("203.0.113.202", "UDP", 0, 0),
    "/32 last ports": ("203.0.113.203", "UDP", 65000, 65535),
    "/31": ("198.18.0.2/31", "TCP", 80, 0),
    "/8": ("11.0.0.0/8", "TCP", 80, 0),
    "/64 port 80": ("2001:db8:beef::/64", "TCP", 80, 0),
    "/65 port 80": ("2001:db8:beef:0:8000::/65", "TCP", 80, 0),
    "/128 port 80": ("2001:db8:beef::10", "TCP", 80, 0),
    "/64 range": ("2001:db8:beef::/64", "UDP", 1000, 1999),
    "/64 every port": ("2001:db8:beef::/64", "UDP", 0, 0),
    "/32 of IPv6": ("2001:db9::/32", "TCP", 80, 0),
    "/127": ("2001:db8:aaaa::2/127", "TCP", 80, 0),
}.items(), start=1)}


def wide() -> dict:
    services = []
    for name, w in WIDE.items():
        more = {"last_port": w.last_port} if w.last_port else {}
        services.append(service(f"{w.protocol.lower()}-{name.lower()}".replace("/", "").replace(" ", "-"), w.vip, w.protocol,
                                w.port, "IPIP", [backend(w.backend)], **more))
    return gateway("wide", services)


@dataclass(frozen=True)
class Quic:
    """A UDP port whose services have two servers each."""
    port: int
    rotation: int
    server_ids: tuple
    nonce_length: int
    key: str = ""  # hex


# The parameters of the draft's test vectors (appendix B), and some in the clear.
_KEY = "8f95f09245765f80256934e50c66207f"
QUIC_PORT = 4433
QUIC = {
    "in the clear": Quic(4433, 0, ("c4605e", "c4605f"), 4),
    "in the clear, longest": Quic(4434, 6, ("01" * 15, "02" * 15), 4),
    "in the clear, shortest ID": Quic(4435, 3, ("41", "42"), 18),
    "odd length": Quic(4436, 0, ("ed793a", "000000"), 4, _KEY),
    "long odd length": Quic(4437, 1, ("ed793a51d49b8f5fab65", "ed793a51d49b8f5fab66"), 5, _KEY),
    "one block": Quic(4438, 2, ("ed793a51d49b8f5f", "ffffffffffffffff"), 8, _KEY),
    "19 octets": Quic(4439, 0, ("ed793a51d49b8f5fab", "aabbccddeeff001122"), 9, _KEY),
    "even length": Quic(4440, 5, ("0102", "0201"), 6, "000102030405060708090a0b0c0d0e0f"),
}
QUIC_SERVERS = ("10.0.3.1", "10.0.3.2")


def base64_of(octets: str) -> str:
    return base64.b64encode(bytes.fromhex(octets)).decode()


def quic() -> dict:
    services = []
    for family in (4, 6):
        for q in QUIC.values():
            config = {"rotation": q.rotation, "server_id_length": len(q.server_ids[0]) // 2,
                      "nonce_length": q.nonce_length, "key": base64_of(q.key)}
            backends = [backend(address, f"be{n}", quic_server_id=base64_of(server_id))
                        for n, (address, server_id) in enumerate(zip(QUIC_SERVERS, q.server_ids), start=1)]
            services.append(service(f"quic{family}-{q.port}", VIP[family], "UDP", q.port, "IPIP", backends,
                                    quic={"configs": [config]}))
    return gateway("quic", services)


# What becomes of the tags of packets that leave, as --port-vlan says it.
VLAN_RULES = ("keep", "strip", "300", "400.300")

THREE = ("10.0.2.1", "10.0.2.2", "10.0.2.3")
AFFINITY = {110: (24, 64), 111: (32, 128), 112: (1, 1), 113: (24, 0), 114: (0, 56)}  # port -> prefixes


def balancing() -> dict:
    """What is balanced by less than its 5-tuple, each service over three backends."""
    services = []

    def add(family, name, protocol, port, **more):
        services.append(service(f"{name}-{family}", VIP[family], protocol, port, "IPIP",
                                [backend(to, f"be{n}") for n, to in enumerate(THREE, start=1)], **more))

    for family in (4, 6):
        add(family, "sctp", "SCTP", 5000)
        add(family, "any", "ANY_PROTOCOL", 0)
        add(family, "dns", "UDP", 53, one_shot=True)
        for port, (v4, v6) in AFFINITY.items():
            add(family, f"affine-{port}", "TCP", port, affinity={"ipv4_prefix": v4, "ipv6_prefix": v6})
    return gateway("balancing", services)


@dataclass(frozen=True)
class NatTarget:
    port: int
    address: str
    backend_port: int = 0  # 0: the service's own
    proxy: bool = False


NAT_ADDRESS = {4: "192.0.2.100", 6: "2001:db8:ff::100"}
NAT = {
    "NAT to IPv4": NatTarget(80, "10.0.4.1"),
    "NAT to IPv6": NatTarget(81, "2001:db8:4::1"),
    "NAT to IPv4, other port": NatTarget(82, "10.0.4.1", 8080),
    "NAT to IPv6, other port": NatTarget(83, "2001:db8:4::1", 8443),
    "NAT to IPv4 with PROXY": NatTarget(84, "10.0.4.2", 8080, True),
    "NAT to IPv6 with PROXY": NatTarget(85, "2001:db8:4::2", 0, True),
}


def nat() -> dict:
    services = []
    for family in (4, 6):
        for target in NAT.values():
            for protocol in ("TCP", "UDP") if not target.proxy else ("TCP",):
                to = backend(target.address, **({"port": target.backend_port} if target.backend_port else {}))
                more = {"forwarding": {"proxy_protocol": True}} if target.proxy else {}
                services.append(service(f"{protocol.lower()}{family}-{target.port}", VIP[family], protocol, target.port,
                                        "NAT", [to], **more))
    return gateway("nat", services, [word for to in NAT_ADDRESS.values() for word in ("--nat-source", to)])


def all_gateways() -> list:
    vlans = [tunnels(f"VLAN {rule}", arguments=["--port-vlan", f"net_pcap0={rule}"]) for rule in VLAN_RULES]
    return [tunnels(), tunnels("jumbo", JUMBO_MTU), tunnels("narrow", NARROW_MTU),
            tunnels("fragmenting", too_big="TOO_BIG_FRAGMENT"), *vlans, pools(), wide(), quic(), balancing(), nat()]
