"""Full NAT: the backend sees the gateway, the client the VIP. Within a family RFC 3022, across RFC 7915 (NAT64, NAT46). The
gateway chooses the source port; answers are sent to it here as the backend would. PROXY protocol version 2, section 2.2."""
from socket import AF_INET, AF_INET6, inet_pton

from frames import frame, ip, some
from gateways import CLIENT, GATEWAY_MAC, NAT, NAT_ADDRESS, NEIGHBOUR_MAC, ROUTER_MAC, VIP
from scapy.all import ICMP, IP, TCP, UDP, Ether, ICMPv6PacketTooBig, IPv6, Raw, raw
from table import Expected, Fill, Free, Sent, Step, case, number_of, steps_case

from cases.icmp import answer, echo, reply

TOPIC = "nat"
ETHER_TYPE = {4: 0x0800, 6: 0x86DD}
IP_SIZE = {4: 20, 6: 40}
CHECKSUM = {"TCP": 16, "UDP": 6}
MAY_BE_FRAGMENTED = 1260  # RFC 7915 section 5.1


def translated(packet, family: int, source: str, destination: str, sport: int, dport: int, between: bytes = b""):
    """The packet with other addresses and ports, one hop older. between: octets put in front of TCP's data."""
    before = packet.version
    transport = packet[TCP].copy() if TCP in packet else packet[UDP].copy()
    transport.sport, transport.dport = sport, dport
    if transport.name == "TCP" or transport.chksum != 0:
        del transport.chksum
    if between:
        transport.payload = Raw(between + raw(transport.payload))
    if transport.name == "UDP":
        del transport.len
    ttl, tc = (packet.ttl, packet.tos) if before == 4 else (packet.hlim, packet.tc)
    if family == 4 and before == 4:
        out = IP(src=source, dst=destination, ttl=ttl - 1, tos=tc, id=packet.id, flags=packet.flags, options=packet.options)
    elif family == 4:
        # The identification is free where the packet may be fragmented.
        long = 20 + len(transport) > MAY_BE_FRAGMENTED
        out = IP(src=source, dst=destination, ttl=ttl - 1, tos=tc, id=0, flags="DF" if long else 0)
    else:
        out = IPv6(src=source, dst=destination, hlim=ttl - 1, tc=tc, fl=packet.fl if before == 6 else 0)
    return out / transport


def _link(source: str, destination: str, family: int) -> bytes:
    return raw(Ether(src=source, dst=destination, type=ETHER_TYPE[family]))


class Flow:
    """Of one client to one service in NAT mode."""

    def __init__(self, what: str, family: int, name: str, layer=TCP):
        self.family, self.target, self.layer = family, NAT[name], layer
        self.port = number_of(what, 1024, 65000)
        self.identifications = 0

    @property
    def inside(self) -> int:
        return 6 if ":" in self.target.address else 4

    @property
    def backend_port(self) -> int:
        return self.target.backend_port or self.target.port

    def _identification(self, before, packet, at: int) -> list:
        if before.version == 4 or packet.version == 6 or len(packet) > MAY_BE_FRAGMENTED:
            return []
        self.identifications += 1
        return [Free(f"identification {self.identifications}", at + 4, "ffff", [at + 10])]

    def client(self, payload: bytes = b"", ip_fields=None, **fields):
        return ip(self.family, **(ip_fields or {})) / self.layer(sport=self.port, dport=self.target.port, **fields) / Raw(
            payload)

    def backend(self, payload: bytes = b"", ip_fields=None, **fields):
        header = {"src": self.target.address, "dst": NAT_ADDRESS[self.inside], **(ip_fields or {})}
        if self.inside == 4:
            header = IP(**{"id": 0x4321, "flags": "DF", **header})
        else:
            header = IPv6(**{"fl": 0x0BEEF, **header})
        return header / self.layer(sport=self.backend_port, dport=0, **fields) / Raw(payload)

    def to_backend(self, packet, between: bytes = b"") -> Expected:
        out = translated(packet, self.inside, NAT_ADDRESS[self.inside], self.target.address, 0, self.backend_port, between)
        transport = 14 + (len(raw(out)) - len(raw(out[self.layer])))
        covered = [transport + CHECKSUM[self.layer.__name__]]
        free = [Free("NAT port", transport, "ffff", covered, 1024)] + self._identification(packet, out, 14)
        if between:  # RFC 9293 section 3.9.1.2 leaves the push flag of what is not the last data to the sender
            free.append(Free("push", transport + 12, "0008", covered))
        return Expected([_link(GATEWAY_MAC, NEIGHBOUR_MAC, self.inside) + raw(out)], "one", free)

    def from_backend(self, packet) -> Sent:
        transport = 14 + (len(raw(packet)) - len(raw(packet[self.layer])))
        fill = Fill("one", "NAT port", transport + 2, [transport + CHECKSUM[self.layer.__name__]])
        return Sent(_link(NEIGHBOUR_MAC, GATEWAY_MAC, self.inside) + raw(packet), [fill])

    def to_client(self, packet) -> Expected:
        out = translated(packet, self.family, VIP[self.family], CLIENT[self.family], self.target.port, self.port)
        return Expected([_link(GATEWAY_MAC, ROUTER_MAC, self.family) + raw(out)], "", self._identification(packet, out, 14))

    def out(self, *packets, between: bytes = b"") -> Step:
        return Step([frame(self.family, p) for p in packets], [self.to_backend(p, between) for p in packets],
                    {"forwarded": len(packets)})

    def back(self, *packets) -> Step:
        return Step([self.from_backend(p) for p in packets], [self.to_client(p) for p in packets],
                    {"forwarded": len(packets)})


def connections():
    for name in NAT:
        if NAT[name].proxy:
            continue
        for family in (4, 6):
            what = f"IPv{family} connection to {name}"
            f = Flow(what, family, name)
            steps_case(TOPIC, what, "nat", [
                f.out(f.client(flags="S", seq=1000)), f.back(f.backend(flags="SA", seq=5000, ack=1001)),
                f.out(f.client(flags="A", seq=1001, ack=5001), f.client(b"GET / HTTP/1.0\r\n\r\n", flags="PA", seq=1001, ack=5001)),
                f.back(f.backend(flags="A", seq=5001, ack=1019), f.backend(some(701), flags="PA", seq=5001, ack=1019)),
                f.out(f.client(flags="FA", seq=1019, ack=5702)), f.back(f.backend(flags="FA", seq=5702, ack=1020)),
                f.out(f.client(flags="A", seq=1020, ack=5703))])


def datagrams():
    for name in NAT:
        if NAT[name].proxy:
            continue
        for family in (4, 6):
            for size in (0, 1, 100, 1300):
                what = f"IPv{family} datagrams of {size} bytes to {name}"
                f = Flow(what, family, name, UDP)
                steps_case(TOPIC, what, "nat", [f.out(f.client(some(size))), f.back(f.backend(some(size)))])


def headers_of_both_families():
    for name in NAT:
        if NAT[name].proxy:
            continue
        for family in (4, 6):
            what = f"IPv{family} with DSCP, ECN and TTL to {name}"
            f = Flow(what, family, name)
            near = {"tos": 0xBA, "ttl": 2} if family == 4 else {"tc": 0xBA, "hlim": 2}
            far = {"tos": 0x29, "ttl": 255} if f.inside == 4 else {"tc": 0x29, "hlim": 255}
            steps_case(TOPIC, what, "nat", [f.out(f.client(flags="S", ip_fields=near)),
                                            f.back(f.backend(flags="SA", ip_fields=far))])
            for ttl in (0, 1):
                expired = {"ttl" if family == 4 else "hlim": ttl}
                case(TOPIC, f"IPv{family} with TTL {ttl} to {name}", "nat",
                     [frame(family, f.client(flags="S", ip_fields=expired))], [], "dropped_ttl_expired")


def two_clients_have_two_ports():
    """From one address and port to two services on one backend address: nothing may be mixed up."""
    for family in (4, 6):
        what = f"IPv{family} two services with one backend"
        one, two = Flow(what, family, "NAT to IPv4"), Flow(what, family, "NAT to IPv4, other port")
        steps = [one.out(one.client(flags="S"))]
        step = two.out(two.client(flags="S"))
        step.expect[0].flow = "two"
        steps.append(step)
        steps.append(one.back(one.backend(flags="SA")))
        step = two.back(two.backend(flags="SA"))
        step.send[0].fill[0].flow = "two"
        steps.append(step)
        steps_case(TOPIC, what, "nat", steps)


def answers_of_nobody():
    for name in ("NAT to IPv4", "NAT to IPv6"):
        f = Flow(name, 4, name)
        for port in (1, 1024, 40000, 65535):
            packet = f.backend(flags="SA")
            packet[TCP].dport = port
            case(TOPIC, f"answer to port {port} of the NAT address, {name}", "nat",
                 [_link(NEIGHBOUR_MAC, GATEWAY_MAC, f.inside) + raw(packet)], [], "dropped_nat_unknown_flow")
        for family in (4, 6):
            what = f"IPv{family} answer from another port, {name}"
            f = Flow(what, family, name)
            wrong = f.backend(flags="SA")
            wrong[TCP].sport += 1
            other = f.backend(flags="SA", ip_fields={"src": "10.0.4.77" if f.inside == 4 else "2001:db8:1::77"})
            steps_case(TOPIC, what, "nat", [f.out(f.client(flags="S")),
                                            Step([f.from_backend(wrong), f.from_backend(other)], [],
                                                 {"dropped_nat_unknown_flow": 2}), f.back(f.backend(flags="SA"))])


SIGNATURE = bytes.fromhex("0d0a0d0a000d0a515549540a")


def proxy_header(f: Flow) -> bytes:
    kind = AF_INET if f.family == 4 else AF_INET6
    body = inet_pton(kind, CLIENT[f.family]) + inet_pton(kind, VIP[f.family]) + f.port.to_bytes(
        2, "big") + f.target.port.to_bytes(2, "big")
    return SIGNATURE + bytes([0x21, 0x11 if f.family == 4 else 0x21]) + len(body).to_bytes(2, "big") + body


def moved(packet, seq: int = 0, ack: int = 0):
    out = packet.copy()
    out[TCP].seq += seq
    out[TCP].ack += ack
    return out


def proxied_connections():
    """The header is the first of the client's stream: everything behind it moves by its length."""
    for name in NAT:
        if not NAT[name].proxy:
            continue
        for family in (4, 6):
            what = f"IPv{family} connection to {name}"
            f = Flow(what, family, name)
            header = proxy_header(f)
            size = len(header)
            request = f.client(b"GET / HTTP/1.0\r\n\r\n", flags="PA", seq=1001, ack=5001)
            answer = f.backend(some(300), flags="PA", seq=5001, ack=1019 + size)
            last = f.client(flags="FA", seq=1019, ack=5301)
            steps_case(TOPIC, what, "nat", [
                f.out(f.client(flags="S", seq=1000)), f.back(f.backend(flags="SA", seq=5000, ack=1001)),
                Step([frame(family, f.client(flags="A", seq=1001, ack=5001))],
                     [f.to_backend(f.client(flags="A", seq=1001, ack=5001), header)], {"forwarded": 1}),
                Step([f.from_backend(f.backend(flags="A", seq=5001, ack=1001 + size))],
                     [f.to_client(f.backend(flags="A", seq=5001, ack=1001))], {"forwarded": 1}),
                Step([frame(family, request)], [f.to_backend(moved(request, seq=size))], {"forwarded": 1}),
                Step([f.from_backend(answer)], [f.to_client(moved(answer, ack=-size))], {"forwarded": 1}),
                Step([frame(family, last)], [f.to_backend(moved(last, seq=size))], {"forwarded": 1})])


ROUTER = {4: "198.51.100.254", 6: "2001:db8:c11e::fe"}
ERROR = {4: ICMP(type=3, code=4, nexthopmtu=1400), 6: ICMPv6PacketTooBig(mtu=1400)}


def _error(family: int, source: str, destination: str, quote, ttl: int = 60):
    """Within a family: what the error quotes is a whole packet, so that its checksum can be told."""
    fields = {"src": source, "dst": destination}
    header = IP(**fields, ttl=ttl, id=0x7777, tos=0xC0) if family == 4 else IPv6(**fields, hlim=ttl, fl=0x11111)
    return header / ERROR[family].copy() / Raw(raw(quote))


def _quoted(family: int, source: str, destination: str, layer, sport: int, dport: int, **fields):
    header = {"src": source, "dst": destination}
    header = IP(**header, ttl=50, id=0x2222) if family == 4 else IPv6(**header, hlim=50, fl=0x22222)
    return header / layer(sport=sport, dport=dport, **fields) / Raw(b"data")


def errors_of_both_sides():
    """RFC 5508: an error follows the packet that it quotes, which looks as its sender knows it. The port in the quote and
    the checksum there cancel out in the error's own checksum."""
    for name in ("NAT to IPv4", "NAT to IPv6", "NAT to IPv4, other port", "NAT to IPv6, other port"):
        for layer in (TCP, UDP):
            family = 6 if ":" in NAT[name].address else 4
            what = f"IPv{family} errors about {layer.__name__} to {name}"
            f = Flow(what, family, name, layer)
            inside, vip, client = f.target.address, VIP[family], CLIENT[family]
            gateway = NAT_ADDRESS[family]
            transport = 14 + IP_SIZE[family] + 8 + IP_SIZE[family]
            checksum = transport + CHECKSUM[layer.__name__]
            # About an answer, from the client's side.
            from_outside = _error(family, ROUTER[family], vip, _quoted(family, vip, client, layer, f.target.port, f.port))
            to_inside = _error(family, gateway, inside, _quoted(family, inside, gateway, layer, f.backend_port, 0), ttl=59)
            expected = Expected([_link(GATEWAY_MAC, NEIGHBOUR_MAC, family) + raw(to_inside)], "one",
                                [Free("NAT port", transport + 2, "ffff", [checksum])])
            # About the client's packet, from the backend's side.
            from_inside = _error(family, ROUTER[family], gateway, _quoted(family, gateway, inside, layer, 0, f.backend_port))
            sent = Sent(_link(NEIGHBOUR_MAC, GATEWAY_MAC, family) + raw(from_inside),
                        [Fill("one", "NAT port", transport, [checksum])])
            to_outside = _error(family, vip, client, _quoted(family, client, vip, layer, f.port, f.target.port), ttl=59)
            first = {"flags": "S"} if layer is TCP else {}
            second = {"flags": "SA"} if layer is TCP else {}
            steps_case(TOPIC, what, "nat", [
                f.out(f.client(**first)), f.back(f.backend(**second)),
                Step([frame(family, from_outside)], [expected], {"forwarded": 1}),
                Step([sent], [Expected([_link(GATEWAY_MAC, ROUTER_MAC, family) + raw(to_outside)])], {"forwarded": 1})])


def tags_of_the_client():
    """An answer goes back as the client's packets came; to the backend they leave as by any port that keeps tags."""
    for name in ("NAT to IPv4", "NAT to IPv6"):
        for family in (4, 6):
            for kind, tags in (("802.1Q", "81000064"), ("QinQ", "88a800c881000064")):
                tags = bytes.fromhex(tags)
                what = f"IPv{family} client under {kind} to {name}"
                f = Flow(what, family, name)

                def tagged(whole):
                    return whole[:12] + tags + whole[12:]

                def moved_by_tags(expected):
                    free = [Free(x.name, x.at + len(tags), x.mask, [c + len(tags) for c in x.checksums], x.least)
                            for x in expected.free]
                    return Expected([tagged(w) for w in expected.any_of], expected.flow, free)

                out, back = f.out(f.client(flags="S")), f.back(f.backend(flags="SA"))
                steps_case(TOPIC, what, "nat", [
                    Step([tagged(out.send[0])], [moved_by_tags(out.expect[0])], {"forwarded": 1}),
                    Step(back.send, [moved_by_tags(back.expect[0])], {"forwarded": 1})])


def echo_to_a_translated_vip():
    for family in (4, 6):
        case(TOPIC, f"IPv{family} echo to a VIP whose services are translated", "nat",
             [frame(family, ip(family) / echo(family, 5, 5, b"nat"))], [answer(family, reply(family, 5, 5, b"nat"))],
             "answered")


def checksums_of_zero():
    """RFC 768: none; RFC 7915 section 4.5: IPv6 needs one, so it is computed."""
    for name in ("NAT to IPv4", "NAT to IPv6"):
        what = f"IPv4 UDP without checksum to {name}"
        f = Flow(what, 4, name, UDP)
        packet = f.client(b"no checksum", chksum=0)
        out = translated(packet, f.inside, NAT_ADDRESS[f.inside], f.target.address, 0, f.backend_port)
        free = [Free("NAT port", 14 + IP_SIZE[f.inside], "ffff", [], 1024)]
        if f.inside == 6:
            del out[UDP].chksum
            free[0].checksums = [14 + 40 + 6]
        case(TOPIC, what, "nat", [frame(4, packet)],
             [Expected([_link(GATEWAY_MAC, NEIGHBOUR_MAC, f.inside) + raw(out)], "one", free)], "forwarded")


def options_stay_within_a_family():
    what = "IPv4 options to NAT to IPv4"
    f = Flow(what, 4, "NAT to IPv4")
    packet = IP(raw(f.client(flags="S", ip_fields={"options": [Raw(b"\x01" * 8)]})))
    steps_case(TOPIC, what, "nat", [f.out(packet), f.back(f.backend(flags="SA"))])


def write():
    tags_of_the_client()
    echo_to_a_translated_vip()
    errors_of_both_sides()
    checksums_of_zero()
    options_stay_within_a_family()
    connections()
    datagrams()
    headers_of_both_families()
    two_clients_have_two_ports()
    answers_of_nobody()
    proxied_connections()
