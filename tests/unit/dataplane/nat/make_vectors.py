#!/usr/bin/python3
"""Writes vectors.inc: conversations through NAT as scapy builds them, for vectors_test.cc.

Usage: make_vectors.py > vectors.inc     (or --check: fails if vectors.inc is stale)

Each conversation runs through a pipeline of its own whose only source port is 40000, so that everything is known
beforehand. VIP port 80 goes to port 8080 of the backend, port 81 to the same port.
"""
import io
import os
import sys

from scapy.all import ICMP, IP, IPv6, TCP, UDP, Ether, Raw, raw
from scapy.layers.inet6 import ICMPv6DestUnreach, ICMPv6PacketTooBig, ICMPv6TimeExceeded

CLIENT = {4: "198.51.100.7", 6: "2001:db8:c11e::7"}
VIP = {4: "203.0.113.10", 6: "2001:db8:beef::10"}
NAT = {4: "192.0.2.200", 6: "2001:db8:ff::200"}
BACKEND = {4: "10.0.1.1", 6: "2001:db8:1::1"}
ROUTER = {4: "10.9.9.9", 6: "2001:db8:9::9"}
C, N = 5555, 40000
CLIENT_MACS = dict(src="02:00:00:00:00:22", dst="02:00:00:00:00:11")
ANSWER_MACS = dict(dst="02:00:00:00:00:22", src="02:00:00:00:00:11")
BACKEND_MACS = dict(src="02:00:00:00:00:a0", dst="02:00:00:00:00:b0")
BACK_IN_MACS = dict(src="02:00:00:00:00:b0", dst="02:00:00:00:00:a0")


def ip(family, src, dst, ttl=64, tc=0, ident=0x1234, df=True):
    if family == 4:
        return IP(src=src, dst=dst, ttl=ttl, tos=tc, id=ident, flags="DF" if df else 0)
    return IPv6(src=src, dst=dst, hlim=ttl, tc=tc, fl=0)


def frame(macs, packet):
    return raw(Ether(type=0x0800 if packet.version == 4 else 0x86DD, **macs) / packet)


def translated(packet, family, step):
    """What RFC 7915 makes of the header fields that are no addresses."""
    source = packet.version
    ttl = packet.ttl if source == 4 else packet.hlim
    tc = packet.tos if source == 4 else packet.tc
    if source == family == 4:
        return dict(ttl=ttl - 1, tc=tc, ident=packet.id, df="DF" in str(packet.flags))
    if family == 6:
        return dict(ttl=ttl - 1, tc=tc)
    size = 20 + len(raw(packet.payload))
    return dict(ttl=ttl - 1, tc=tc, ident=0 if size > 1260 else step, df=size > 1260)


class Talk:
    """A conversation: the packets that enter, and what scapy says must leave."""

    def __init__(self, name, client, backend, port, protocol):
        self.name, self.client, self.backend, self.protocol = name, client, backend, protocol
        self.vport, self.bport = port, 8080 if port == 80 else port
        self.steps = []

    def transport(self, header, sport, dport):
        out = header.copy()
        out.sport, out.dport = sport, dport
        out.chksum = None
        return out

    def from_client(self, header, **fields):
        given = ip(self.client, CLIENT[self.client], VIP[self.client], **fields)
        given = given / self.transport(header, C, self.vport)
        kept = translated(given, self.backend, len(self.steps))
        out = ip(self.backend, NAT[self.backend], BACKEND[self.backend], **kept)
        out = out / self.transport(header, N, self.bport)
        self.steps.append((frame(CLIENT_MACS, given), frame(BACKEND_MACS, out)))

    def from_backend(self, header, **fields):
        given = ip(self.backend, BACKEND[self.backend], NAT[self.backend], **fields)
        given = given / self.transport(header, self.bport, N)
        kept = translated(given, self.client, len(self.steps))
        out = ip(self.client, VIP[self.client], CLIENT[self.client], **kept)
        out = out / self.transport(header, self.vport, C)
        self.steps.append((frame(BACK_IN_MACS, given), frame(ANSWER_MACS, out)))

    def quote(self, packet, family, src, dst, sport, dport, step, cut):
        kept = translated(packet, family, step)
        kept["ttl"] += 1  # what is quoted is over: it ages no more
        out = ip(family, src, dst, **kept) / self.transport(packet.payload, sport, dport)
        return raw(out)[: (20 if family == 4 else 40) + cut]

    def error_to_client(self, before, after, header, cut=8):
        """A router behind the gateway complains about what the client has sent."""
        step = len(self.steps)
        quoted = ip(self.backend, NAT[self.backend], BACKEND[self.backend], ttl=60) / self.transport(header, N, self.bport)
        inner = self.quote(quoted, self.client, CLIENT[self.client], VIP[self.client], C, self.vport, step, cut)
        given = ip(self.backend, ROUTER[self.backend], NAT[self.backend]) / before
        given = given / Raw(raw(quoted)[: (20 if self.backend == 4 else 40) + cut])
        sized = ip(self.client, VIP[self.client], CLIENT[self.client]) / after / Raw(inner)
        kept = translated(given, self.client, step)
        if self.backend == 6 and self.client == 4:
            kept["df"], kept["ident"] = len(raw(sized)) > 1260, step
        out = ip(self.client, VIP[self.client], CLIENT[self.client], **kept) / after / Raw(inner)
        self.steps.append((frame(BACK_IN_MACS, given), frame(ANSWER_MACS, out)))

    def error_to_backend(self, before, after, header, cut=8):
        """A router towards the client complains about an answer."""
        step = len(self.steps)
        quoted = ip(self.client, VIP[self.client], CLIENT[self.client], ttl=60) / self.transport(header, self.vport, C)
        inner = self.quote(quoted, self.backend, BACKEND[self.backend], NAT[self.backend], self.bport, N, step, cut)
        given = ip(self.client, ROUTER[self.client], VIP[self.client]) / before
        given = given / Raw(raw(quoted)[: (20 if self.client == 4 else 40) + cut])
        kept = translated(given, self.backend, step)
        if self.client == 6 and self.backend == 4:
            kept["df"], kept["ident"] = False, step
        out = ip(self.backend, NAT[self.backend], BACKEND[self.backend], **kept) / after / Raw(inner)
        self.steps.append((frame(CLIENT_MACS, given), frame(BACKEND_MACS, out)))

    def write(self, out):
        out.write(f'{{"{self.name}", {self.client}, {self.backend}, {{\n')
        for given, expected in self.steps:
            out.write(f'  {{"{given.hex()}",\n   "{expected.hex()}"}},\n')
        out.write("}},\n")


def too_big(family, mtu):
    return ICMP(type=3, code=4, nexthopmtu=mtu) if family == 4 else ICMPv6PacketTooBig(mtu=mtu)


def unreachable_port(family):
    return ICMP(type=3, code=3) if family == 4 else ICMPv6DestUnreach(code=4)


def time_exceeded(family):
    return ICMP(type=11, code=0) if family == 4 else ICMPv6TimeExceeded(code=0)


def mtu_across(mtu, before, after):
    return mtu + (20 if after > before else -20 if after < before else 0)


def conversations():
    for client in (4, 6):
        for backend in (4, 6):
            for port in (80, 81):
                name = f"TCP {client} to {backend}, port {port}"
                talk = Talk(name, client, backend, port, 6)
                options = [("MSS", 1400), ("SAckOK", b""), ("NOP", None), ("WScale", 7)]
                talk.from_client(TCP(flags="S", seq=1000, options=options))
                talk.from_backend(TCP(flags="SA", seq=77, ack=1001, options=options))
                talk.from_client(TCP(flags="A", seq=1001, ack=78))
                talk.from_client(TCP(flags="PA", seq=1001, ack=78) / Raw(b"GET / HTTP/1.1\r\n\r\n"), tc=0xB8)
                talk.from_backend(TCP(flags="PA", seq=78, ack=1019) / Raw(b"odd length!"), tc=0x03, ttl=2)
                talk.from_backend(TCP(flags="A", seq=89, ack=1019) / Raw(b"x" * 1300))
                talk.from_client(TCP(flags="A", seq=1019, ack=1389) / Raw(b"y" * 1301))
                data = TCP(flags="PA", seq=1001, ack=78) / Raw(b"z" * 100)
                for cut in (8, 40):
                    talk.error_to_client(too_big(backend, 1400), too_big(client, mtu_across(1400, backend, client)), data, cut)
                    talk.error_to_backend(too_big(client, 1400), too_big(backend, mtu_across(1400, client, backend)), data, cut)
                talk.error_to_client(time_exceeded(backend), time_exceeded(client), data)
                talk.from_client(TCP(flags="FA", seq=2320, ack=1389))
                talk.from_backend(TCP(flags="FA", seq=1389, ack=2321))
                talk.from_client(TCP(flags="A", seq=2321, ack=1390))
                talk.from_backend(TCP(flags="R", seq=1390))
                yield talk

            talk = Talk(f"UDP {client} to {backend}", client, backend, 80, 17)
            talk.from_client(UDP() / Raw(b"question"), df=False) if client == 4 else talk.from_client(UDP() / Raw(b"question"))
            talk.from_backend(UDP() / Raw(b"an answer"))
            talk.from_client(UDP() / Raw(b"\xff" * 33))
            if client == backend == 4:
                # No checksum stays none.
                given = IP(src=CLIENT[4], dst=VIP[4], id=9) / UDP(sport=C, dport=80, chksum=0) / Raw(b"q")
                out = IP(src=NAT[4], dst=BACKEND[4], id=9, ttl=63) / UDP(sport=N, dport=8080, chksum=0) / Raw(b"q")
                talk.steps.append((frame(CLIENT_MACS, given), frame(BACKEND_MACS, out)))
            if client == 4 and backend == 6:
                # IPv6 needs one (RFC 7915 section 4.5).
                given = IP(src=CLIENT[4], dst=VIP[4], id=9) / UDP(sport=C, dport=80, chksum=0) / Raw(b"q")
                out = IPv6(src=NAT[6], dst=BACKEND[6], hlim=63) / UDP(sport=N, dport=8080) / Raw(b"q")
                talk.steps.append((frame(CLIENT_MACS, given), frame(BACKEND_MACS, out)))
            talk.error_to_client(unreachable_port(backend), unreachable_port(client), UDP() / Raw(b"question"), 16)
            talk.error_to_backend(unreachable_port(client), unreachable_port(backend), UDP() / Raw(b"answer"), 14)
            yield talk


def text():
    out = io.StringIO()
    out.write("// Written by make_vectors.py with scapy. Do not edit.\n")
    for talk in conversations():
        talk.write(out)
    return out.getvalue()


if __name__ == "__main__":
    here = os.path.dirname(os.path.abspath(__file__))
    if "--check" in sys.argv:
        with open(os.path.join(here, "vectors.inc"), encoding="ascii") as f:
            sys.exit(0 if f.read() == text() else "vectors.inc is stale: run make_vectors.py > vectors.inc")
    sys.stdout.write(text())
