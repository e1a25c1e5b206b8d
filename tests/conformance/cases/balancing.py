"""Services that are balanced by less than the 5-tuple: SCTP (RFC 9260) and unknown protocols by addresses and protocol, all
of a client's prefix by source affinity, datagrams that stand by themselves."""
from frames import frame, ip, some, tcp, tunnelled, udp
from gateways import AFFINITY, THREE
from scapy.all import SCTP, IPv6ExtHdrDestOpt, PadN, Raw, SCTPChunkData, SCTPChunkInit
from table import Expected, case

TOPIC = "balancing"


def one_of(packet, flow: str) -> Expected:
    return Expected([tunnelled(packet, "IPIP", to).any_of[0] for to in THREE], flow)


def _together(what, family, packets, flow="one"):
    case(TOPIC, what, "balancing", [frame(family, p) for p in packets], [one_of(p, flow) for p in packets], "forwarded")


def sctp_of_one_client():
    for family in (4, 6):
        for client in range(6):
            source = {4: f"198.51.100.{client + 1}", 6: f"2001:db8:c11e::{client + 1}"}[family]
            packets = [ip(family, src=source) / SCTP(sport=sport, dport=5000) / chunk
                       for sport, chunk in ((1000, SCTPChunkInit()), (1000, SCTPChunkData(data=some(40))),
                                            (2000, SCTPChunkInit()), (65535, SCTPChunkData(data=b"x")))]
            _together(f"IPv{family} SCTP of client {client}, whatever its ports", family, packets)
        case(TOPIC, f"IPv{family} SCTP cut inside its header", "balancing",
             [frame(family, (ip(family) / SCTP(sport=1, dport=5000)))[:-1]], [], "dropped_truncated")
        short = ip(family, **{"proto" if family == 4 else "nh": 132}) / Raw(bytes.fromhex("03e81388") + bytes(7))
        case(TOPIC, f"IPv{family} SCTP of 11 bytes", "balancing", [frame(family, short)], [], "dropped_bad_length")


def other_protocols_of_one_client():
    for family in (4, 6):
        for name, number in (("GRE", 47), ("ESP", 50), ("AH", 51), ("OSPF", 89), ("UDP-Lite", 136), ("IPv4", 4),
                             ("IPv6", 41), ("experimental", 253)):
            packets = [ip(family, **{"proto" if family == 4 else "nh": number}) / Raw(payload)
                       for payload in (some(40), bytes(20), b"\x01", b"")]
            _together(f"IPv{family} protocol {name} of one client", family, packets)
        packets = [ip(family) / layer for layer in (tcp("a", 7), tcp("b", 7), tcp("c", 8), tcp("a", 9))]
        _together(f"IPv{family} TCP that no other service takes", family, packets)
        packets = [ip(family) / layer for layer in (udp("a", 7), udp("b", 7), udp("c", 8))]
        _together(f"IPv{family} UDP that no other service takes", family, packets)
    behind = ip(6) / IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(4))], nh=50) / Raw(some(40))
    _together("IPv6 ESP behind destination options and without", 6, [behind, ip(6, nh=50) / Raw(some(40))])


def affinity():
    clients = {
        4: {24: [["198.51.100.1", "198.51.100.254", "198.51.100.77"], ["198.51.101.1", "198.51.101.2"]],
            32: [["198.51.100.1"], ["198.51.100.2"]], 1: [["1.2.3.4", "127.255.255.254", "64.0.0.1"], ["198.51.100.1", "203.0.0.1"]]},
        6: {64: [["2001:db8:c::1", "2001:db8:c::ffff:ffff:ffff:ffff"], ["2001:db8:c:1::1", "2001:db8:c:1::2"]],
            128: [["2001:db8:c::1"], ["2001:db8:c::2"]], 1: [["2001:db8::1", "3fff::1"], ["fd00::1", "fd77::2"]],
            56: [["2001:db8:c::1", "2001:db8:c:ff::1"], ["2001:db8:c:100::1", "2001:db8:c:1ff::5"]]},
    }
    for port, by_family in AFFINITY.items():
        for family, bits in zip((4, 6), by_family):
            for number, group in enumerate(clients[family].get(bits, [])):
                packets = [ip(family, src=source) / tcp(f"{source}{sport}", port) for source in group
                           for sport in range(4)]
                if any(source.startswith("127.") for source in group):
                    packets = [p for p in packets if not str(p.src).startswith("127.")]
                _together(f"IPv{family} clients of one /{bits}, group {number}, on port {port}", family, packets)
            if bits == 0:
                packets = [ip(family) / tcp(f"{port}{family}{sport}", port) for sport in range(16)]
                case(TOPIC, f"IPv{family} flows without affinity on port {port}", "balancing",
                     [frame(family, p) for p in packets], [one_of(p, str(n)) for n, p in enumerate(packets)], "forwarded")


def one_shot():
    for family in (4, 6):
        query = ip(family) / udp("dns", 53, some(30))
        case(TOPIC, f"IPv{family} one-shot datagrams of one flow", "balancing", [frame(family, query)] * 3,
             [one_of(query, "one")] * 3, "forwarded")
        queries = [ip(family) / udp(f"dns{n}", 53, some(30)) for n in range(16)]
        case(TOPIC, f"IPv{family} one-shot datagrams of many flows", "balancing", [frame(family, q) for q in queries],
             [one_of(q, str(n)) for n, q in enumerate(queries)], "forwarded")
        tcp_query = ip(family) / tcp("dns", 53)
        _together(f"IPv{family} TCP to the port of a one-shot service", family, [tcp_query])


def write():
    sctp_of_one_client()
    other_protocols_of_one_client()
    affinity()
    one_shot()
