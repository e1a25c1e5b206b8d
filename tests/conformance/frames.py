"""Frames towards VIPs, and what a gateway makes of them by the RFCs, built with scapy."""
from scapy.all import IP, IPv6, TCP, UDP, Dot1AD, Dot1Q, Ether, Raw, raw
from scapy.utils import checksum

from gateways import BACKEND, CLIENT, GATEWAY_MAC, NEIGHBOUR_MAC, ROUTER_MAC, SOURCE, TUNNELS, VIP
from table import Expected, Free, number_of

ETHER_TYPE = {4: 0x0800, 6: 0x86DD}
TUNNELLED = {4: 4, 6: 41}  # protocol number of an IP packet inside another


def ip(family: int, **fields):
    """An IP header from the client to the VIP."""
    if family == 4:
        return IP(**{"src": CLIENT[4], "dst": VIP[4], "ttl": 64, "id": 0x1234, **fields})
    return IPv6(**{"src": CLIENT[6], "dst": VIP[6], "hlim": 64, "fl": 0x54321, **fields})


def frame(family: int, packet, pad: int = 0, tags=(), ether_type=None) -> bytes:
    """pad: length to which the frame is padded with 0xee, the CRC apart. tags: (Dot1Q or Dot1AD, VLAN id)."""
    packet = raw(packet)
    link = Ether(src=ROUTER_MAC, dst=GATEWAY_MAC)
    kinds = [0x88A8 if kind is Dot1AD else 0x8100 for kind, _ in tags] + [ETHER_TYPE[family] if ether_type is None else ether_type]
    link.type = kinds[0]
    for (kind, vlan), inside in zip(tags, kinds[1:]):
        link = link / kind(vlan=vlan, type=inside)
    out = raw(link) + packet
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


def outer_frame(outer: int, to: str, payload: bytes, protocol: int, tc: int) -> bytes:
    """Outer IPv4 has DF and id 0: RFC 6864, an atomic datagram."""
    if outer == 4:
        header = IP(src=SOURCE[4], dst=to, ttl=64, tos=tc, id=0, flags="DF", proto=protocol)
    else:
        header = IPv6(src=SOURCE[6], dst=to, hlim=64, tc=tc, fl=0, nh=protocol)
    return raw(Ether(src=GATEWAY_MAC, dst=NEIGHBOUR_MAC, type=ETHER_TYPE[outer]) / header / Raw(payload))


def outer_free(encap: str, outer: int) -> list:
    """What the flow's hash decides."""
    free = [Free("flow label", 15, "0fffff")] if outer == 6 else []
    if encap in ("GUE", "VXLAN"):
        free.append(Free("source port", 34 if outer == 4 else 54, "ffff", least=0xC000))
    return free


def tunnelled(packet, encap: str, to: str, after_aging=None, flow: str = "") -> Expected:
    """The frame to the backend `to`. after_aging: the inner packet as it leaves, if aged() does not know."""
    outer = 6 if ":" in to else 4
    body = aged(packet) if after_aging is None else after_aging
    protocol = TUNNELLED[version(body)]
    if encap == "GUE":
        header = gue(version(body), outer)
        body = raw(UDP(sport=0, dport=6080, len=8 + len(header) + len(body), chksum=0)) + header + body
        protocol = 17
    return Expected([outer_frame(outer, to, body, protocol, traffic_class(packet))], flow, outer_free(encap, outer))


def by_tunnel(name: str, packet, **more) -> Expected:
    tunnel = TUNNELS[name]
    return tunnelled(packet, tunnel.encap, BACKEND[tunnel.outer], **more)


def tcp(what: str, port: int, flags: str = "S", payload: bytes = b""):
    """A segment of the case's own flow."""
    return TCP(sport=number_of(what, 1024, 65000), dport=port, flags=flags, seq=7, ack=0 if flags == "S" else 3) / Raw(
        payload)


def udp(what: str, port: int, payload: bytes = b"ping"):
    return UDP(sport=number_of(what, 1024, 65000), dport=port) / Raw(payload)


def some(size: int) -> bytes:
    return bytes(i % 251 for i in range(size))
