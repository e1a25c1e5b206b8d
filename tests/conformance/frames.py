"""Frames towards VIPs, and what a gateway makes of them by the RFCs, built with scapy."""
from scapy.all import GRE, IP, IPv6, TCP, UDP, VXLAN, Ether, Raw, raw
from scapy.utils import checksum

from gateways import BACKEND, CLIENT, GATEWAY_MAC, NEIGHBOUR_MAC, ROUTER_MAC, SOURCE, TUNNELS, VIP, Tunnel
from table import Expected, Free, number_of

ETHER_TYPE = {4: 0x0800, 6: 0x86DD}
TUNNELLED = {4: 4, 6: 41}  # protocol number of an IP packet inside another


def ip(family: int, **fields):
    """An IP header from the client to the VIP."""
    if family == 4:
        return IP(**{"src": CLIENT[4], "dst": VIP[4], "ttl": 64, "id": 0x1234, **fields})
    return IPv6(**{"src": CLIENT[6], "dst": VIP[6], "hlim": 64, "fl": 0x54321, **fields})


def frame(family: int, packet, pad: int = 0, ether_type=None) -> bytes:
    """pad: length to which the frame is padded with 0xee, the CRC apart."""
    kind = ETHER_TYPE[family] if ether_type is None else ether_type
    out = raw(Ether(src=ROUTER_MAC, dst=GATEWAY_MAC, type=kind)) + raw(packet)
    return out + b"\xee" * max(0, pad - len(out))


def version(packet: bytes) -> int:
    return raw(packet)[0] >> 4


def aged(packet, by: int = 1) -> bytes:
    """TTL or hop limit less `by`; an IPv4 header checksum that was right is right again."""
    out = bytearray(raw(packet))
    if version(out) == 6:
        out[7] -= by
        return bytes(out)
    header = 4 * (out[0] & 15)
    was_right = checksum(bytes(out[:header])) == 0
    assert was_right, "a wrong checksum needs an expectation of its own"
    out[8] -= by
    out[10:12] = b"\0\0"
    out[10:12] = checksum(bytes(out[:header])).to_bytes(2, "big")
    return bytes(out)


def traffic_class(packet) -> int:
    out = raw(packet)
    return out[1] if version(out) == 4 else (out[0] << 4 | out[1] >> 4) & 0xFF


def gue(family: int, outer: int) -> bytes:
    """Version 0, data message, one word of private data: no hops, of the outer family."""
    return bytes([1, TUNNELLED[family], 0, 0, 0, 0 if outer == 4 else 1, 0, 0])


def _link(version_inside: int) -> bytes:
    return raw(Ether(src=GATEWAY_MAC, dst=NEIGHBOUR_MAC, type=ETHER_TYPE[version_inside]))


def _outer_ip(tunnel: Tunnel, to: str, tc: int, protocol: int):
    """Outer IPv4 has DF and id 0: RFC 6864, an atomic datagram."""
    if tunnel.outer == 4:
        return IP(src=SOURCE[4], dst=to, ttl=64, tos=tc, id=0, flags="DF", proto=protocol)
    return IPv6(src=SOURCE[6], dst=to, hlim=64, tc=tc, fl=0, nh=protocol)


def _between(tunnel: Tunnel, inner: bytes):
    """(protocol number, what stands between the outer IP header and the inner packet)"""
    family = version(inner)
    if tunnel.encap == "GUE":
        return 17, UDP(sport=0, dport=6080) / Raw(gue(family, tunnel.outer))
    if tunnel.encap == "VXLAN":
        return 17, UDP(sport=0, dport=4789) / VXLAN(flags="Instance", vni=tunnel.vni) / Ether(
            src=GATEWAY_MAC, dst=tunnel.mac, type=ETHER_TYPE[family])
    if tunnel.encap == "GRE":
        key = {} if tunnel.key is None else {"key_present": 1, "key": tunnel.key}
        return 47, GRE(proto=ETHER_TYPE[family], **key)
    return TUNNELLED[family], None


def free_of(tunnel: Tunnel) -> list:
    """What the flow's hash decides."""
    if tunnel.encap == "L2DSR":
        return []
    transport = 34 if tunnel.outer == 4 else 54
    free = [Free("flow label", 15, "0fffff")] if tunnel.outer == 6 else []
    if tunnel.encap in ("GUE", "VXLAN"):
        free.append(Free("source port", transport, "ffff", [transport + 6] if tunnel.checksum else [], 0xC000))
    return free


def through(tunnel: Tunnel, to: str, packet, after_aging=None, flow: str = "") -> Expected:
    """The frame to the backend `to`. after_aging: the inner packet as it leaves, if aged() does not know."""
    if tunnel.encap == "L2DSR":
        # Only the link's addresses change: the packet goes on as if the router had sent it to the backend.
        return Expected([_link(version(packet)) + raw(packet)], flow)
    inner = aged(packet) if after_aging is None else after_aging
    protocol, between = _between(tunnel, inner)
    outer = _outer_ip(tunnel, to, traffic_class(packet), protocol)
    if between is not None:
        if between.haslayer(UDP) and not tunnel.checksum:
            between[UDP].chksum = 0
        outer = outer / between
    return Expected([_link(tunnel.outer) + raw(outer / Raw(inner))], flow, free_of(tunnel))


def tunnelled(packet, encap: str, to: str, **more) -> Expected:
    return through(Tunnel(0, encap, 6 if ":" in to else 4), to, packet, **more)


def by_tunnel(name: str, packet, **more) -> Expected:
    return through(TUNNELS[name], BACKEND[TUNNELS[name].outer or version(raw(packet))], packet, **more)


def overhead(name: str) -> int:
    """Bytes of the outer packet that are not the inner one's."""
    packet = ip(4) / b"x"
    return len(by_tunnel(name, packet).any_of[0]) - len(frame(4, packet))


def tcp(what: str, port: int, flags: str = "S", payload: bytes = b""):
    """A segment of the case's own flow."""
    return TCP(sport=number_of(what, 1024, 65000), dport=port, flags=flags, seq=7, ack=0 if flags == "S" else 3) / Raw(
        payload)


def udp(what: str, port: int, payload: bytes = b"ping"):
    return UDP(sport=number_of(what, 1024, 65000), dport=port) / Raw(payload)


def some(size: int) -> bytes:
    return bytes(i % 251 for i in range(size))
