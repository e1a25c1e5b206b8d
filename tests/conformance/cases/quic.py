"""QUIC by connection ID (RFC 8999, draft-ietf-quic-load-balancers-21): whoever sends it, the packet goes to the server
whose ID it carries; what carries none is balanced by its flow."""
import zlib

from frames import frame, ip, tunnelled, udp
from gateways import QUIC, QUIC_SERVERS
from quic_lb import connection_id
from scapy.all import IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, PadN, Raw
from table import Expected, case

TOPIC = "quic"
VERSION_1 = b"\x00\x00\x00\x01"
CLIENTS = {4: ("198.51.100.7", "198.51.100.8", "192.0.2.200"), 6: ("2001:db8:c11e::7", "2001:db8:c11e::8", "2001:db8:1::9")}


def short(cid: bytes, payload: bytes = bytes(24)) -> bytes:
    return b"\x43" + cid + payload


def long(cid: bytes, kind: int = 2, version: bytes = VERSION_1, source: bytes = b"\x01\x02\x03\x04") -> bytes:
    return bytes([0xC3 | kind << 4]) + version + bytes([len(cid)]) + cid + bytes([len(source)]) + source + bytes(24)


def cid_of(q, server: int, number: int = 0, **more) -> bytes:
    nonce = (zlib.crc32(f"{q.port}{number}".encode()).to_bytes(4, "big") * 5)[:q.nonce_length]
    return connection_id(q.rotation, bytes.fromhex(q.server_ids[server]), nonce, bytes.fromhex(q.key), **more)


def _to(what, family, q, payloads, server, clients=None):
    """All payloads, each from another client, to one server."""
    clients = clients or CLIENTS[family]
    packets = [ip(family, src=clients[n % len(clients)]) / udp(f"{what}{n}", q.port, payload)
               for n, payload in enumerate(payloads)]
    case(TOPIC, what, "quic", [frame(family, p) for p in packets],
         [tunnelled(p, "IPIP", QUIC_SERVERS[server]) for p in packets], "forwarded")


def _anywhere(what, family, q, payload, **ip_fields):
    """By its flow: to one of the two, and the second packet to the same."""
    packet = ip(family, **ip_fields) / udp(what, q.port, payload)
    ways = [tunnelled(packet, "IPIP", to).any_of[0] for to in QUIC_SERVERS]
    case(TOPIC, what, "quic", [frame(family, packet)] * 2, [Expected(ways, "one")] * 2, "forwarded")


def every_configuration():
    for family in (4, 6):
        for name, q in QUIC.items():
            for server in (0, 1):
                ids = [cid_of(q, server, number) for number in range(3)]
                _to(f"IPv{family} short headers, {name}, server {server}", family, q, [short(c) for c in ids], server)
                _to(f"IPv{family} long headers, {name}, server {server}", family, q, [long(c) for c in ids], server)


def one_connection_from_everywhere():
    for name, q in QUIC.items():
        cid = cid_of(q, 1)
        clients = [f"198.51.100.{n}" for n in range(1, 33)]
        _to(f"client that moves 31 times, {name}", 4, q, [short(cid)] * 32, 1, clients)


def what_does_not_matter():
    for name in ("in the clear", "odd length", "one block"):
        q = QUIC[name]
        for kind, text in enumerate(("Initial", "0-RTT", "Handshake", "Retry")):
            _to(f"long header of kind {text}, {name}", 4, q, [long(cid_of(q, 1), kind)], 1)
        _to(f"QUIC version 2, {name}", 4, q, [long(cid_of(q, 1), version=bytes.fromhex("6b3343cf"))], 1)
        _to(f"unknown version, {name}", 4, q, [long(cid_of(q, 1), version=bytes.fromhex("1a2a3a4a"))], 1)
        _to(f"fixed bit clear, {name}", 4, q, [b"\x03" + cid_of(q, 1) + bytes(24)], 1)
        _to(f"spin bit and key phase set, {name}", 4, q, [b"\x67" + cid_of(q, 1) + bytes(24)], 1)
        _to(f"server that does not encode the length, {name}", 4, q, [short(cid_of(q, 1, low_bits=0))], 1)
        _to(f"empty source connection ID, {name}", 4, q, [long(cid_of(q, 1), source=b"")], 1)
        _to(f"nothing behind the connection ID, {name}", 4, q, [short(cid_of(q, 1), b"")], 1)


def unroutable():
    for family in (4, 6):
        for name in ("in the clear", "odd length", "one block"):
            q = QUIC[name]
            whole = cid_of(q, 1)
            other = (q.rotation + 1) % 7
            stranger = connection_id(q.rotation, b"\x55" * (len(q.server_ids[0]) // 2), bytes(q.nonce_length),
                                     bytes.fromhex(q.key))
            for what, payload in (("rotation 7", short(bytes([0xE0 | whole[0]]) + whole[1:])),
                                  ("rotation of no configuration", short(bytes([other << 5]) + whole[1:])),
                                  ("server ID of nobody", short(stranger)),
                                  ("short header cut inside the connection ID", short(whole, b"")[:-1]),
                                  ("long header whose connection ID is too short", long(whole[:-1])),
                                  ("long header without a connection ID", long(b"")),
                                  ("long header cut inside the connection ID", long(whole)[:8]),
                                  ("long header cut before the length", long(whole)[:5]),
                                  ("long header of 21 octets' connection ID", long(whole + bytes(21 - len(whole)))),
                                  ("one octet", b"\x43"), ("no octet", b""), ("text", b"GET / HTTP/1.1\r\n")):
                _anywhere(f"IPv{family} {what}, {name}", family, q, payload)


def behind_options_and_extensions():
    for name in ("in the clear", "odd length", "one block"):
        q = QUIC[name]
        for server in (0, 1):
            payload = short(cid_of(q, server))
            headers = {
                "IPv4 options": ip(4, options=[Raw(b"\x01" * 8)]),
                "40 bytes of IPv4 options": ip(4, options=[Raw(b"\x01" * 40)]),
                "hop-by-hop options": ip(6) / IPv6ExtHdrHopByHop(options=[PadN(optdata=bytes(4))]),
                "destination options": ip(6) / IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(12))]),
                "two extension headers": ip(6) / IPv6ExtHdrHopByHop(options=[PadN(optdata=bytes(4))]) /
                                         IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(4))]),
                "an atomic fragment header": ip(6) / IPv6ExtHdrFragment(id=7),
            }
            for kind, header in headers.items():
                for client in range(3):
                    what = f"client {client} behind {kind}, {name}, server {server}"
                    packet = header / udp(what, q.port, payload)
                    case(TOPIC, what, "quic", [frame(packet.version, packet)],
                         [tunnelled(packet, "IPIP", QUIC_SERVERS[server])], "forwarded")


def write():
    behind_options_and_extensions()
    every_configuration()
    one_connection_from_everywhere()
    what_does_not_matter()
    unroutable()
