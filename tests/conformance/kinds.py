"""Packets of every shape, with the places of their headers: what the malformed cases are cut and bent from."""
from dataclasses import dataclass

from scapy.all import IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop, PadN, Raw, raw

from frames import frame, ip, tcp, udp
from gateways import TUNNELS

ETHERNET = 14


@dataclass
class Header:
    name: str
    start: int  # in the frame
    size: int

    @property
    def end(self) -> int:
        return self.start + self.size


@dataclass
class Kind:
    name: str
    family: int
    packet: bytes
    headers: list  # outermost first, Ethernet included

    @property
    def frame(self) -> bytes:
        return frame(self.family, self.packet)

    def header(self, name: str) -> Header:
        return next(h for h in self.headers if h.name == name)

    def bent(self, **bytes_at) -> bytes:
        """The packet with bytes replaced: bent(at0=0x65)."""
        return bent(self.packet, **bytes_at)


def bent(packet: bytes, **bytes_at) -> bytes:
    out = bytearray(packet)
    for at, value in bytes_at.items():
        out[int(at.removeprefix("at"))] = value
    return bytes(out)


def _kind(name: str, family: int, between: list, transport) -> Kind:
    """between: (name, layer) after the IP header."""
    packet = ip(family, **({"options": between} if family == 4 and between else {}))
    headers = [Header("Ethernet", 0, ETHERNET)]
    if family == 4:
        headers.append(Header("IPv4", ETHERNET, len(raw(packet))))
    else:
        headers.append(Header("IPv6", ETHERNET, 40))
        for extension, layer in between:
            packet = packet / layer
            headers.append(Header(extension, headers[-1].end, len(raw(layer))))
    packet = raw(packet / transport)
    size = 20 if transport.name == "TCP" else 8
    headers.append(Header(transport.name, headers[-1].end, size))
    assert headers[-1].end + len(transport.payload) == ETHERNET + len(packet)
    return Kind(name, family, packet, headers)


def kinds(what: str) -> list:
    """what: makes the flow the case's own."""
    port = TUNNELS["GUE over IPv4"].port
    payload = bytes(range(40))
    hop_by_hop = ("hop-by-hop", IPv6ExtHdrHopByHop(options=[PadN(optdata=bytes(4))]))
    destination = ("destination options", IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(12))]))
    no_operation = Raw(b"\x01")
    return [
        _kind("IPv4 TCP", 4, [], tcp(what, port, "PA", payload)),
        _kind("IPv4 UDP", 4, [], udp(what, port, payload)),
        _kind("IPv4 with options TCP", 4, [no_operation] * 8, tcp(what, port, "PA", payload)),
        _kind("IPv4 with options UDP", 4, [no_operation] * 8, udp(what, port, payload)),
        _kind("IPv6 TCP", 6, [], tcp(what, port, "PA", payload)),
        _kind("IPv6 UDP", 6, [], udp(what, port, payload)),
        _kind("IPv6 hop-by-hop TCP", 6, [hop_by_hop], tcp(what, port, "PA", payload)),
        _kind("IPv6 destination options UDP", 6, [destination], udp(what, port, payload)),
        _kind("IPv6 chain TCP", 6, [hop_by_hop, destination], tcp(what, port, "PA", payload)),
    ]


def kinds_of(family: int, what: str) -> list:
    return [k for k in kinds(what) if k.family == family]
