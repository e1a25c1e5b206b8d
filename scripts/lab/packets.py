"""Scenarios for packets that are more than TCP to one address and one port: ping, NAT, path MTU, DNS, QUIC.

Each adds services of its own beside the lab's and takes them away again. Meanwhile the lab's own traffic goes on and
must not notice.
"""
from __future__ import annotations

import contextlib
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any, Iterator

from . import network, processes, rest, topology
from .backends import LARGE_BYTES, PROXY_PORT
from .extra_services import extra_services, service
from .run import Run
from .system import LabError, run, spawn, stop, wait_until
from .topology import BACKENDS, CLIENT, GATEWAYS, ROUTER, VIP4, VIP6, Host

_PYTHON = ["/usr/bin/python3", "-B"]
_HERE = Path(__file__).resolve().parent
_ROUTER_NS = topology.PREFIX + ROUTER
_CLIENT_MTU = 1500


# --- ping ---------------------------------------------------------------------------------------------------

def ping(run_: Run) -> None:
    """Echo requests to a VIP are answered by the gateways themselves, IPv4 and IPv6."""
    for vip in (VIP4, VIP6):
        family = 6 if ":" in vip else 4
        sent = 20
        out = run(["ping", "-n", "-c", str(sent), "-i", "0.1", "-W", "1", vip], ns=CLIENT.namespace, check=False)
        received = re.search(r"(\d+) received", out)
        rtt = re.search(r"= [\d.]+/([\d.]+)/", out)
        run_.figures.add(f"ping{family}_answered", int(received[1]) if received else 0, f"of {sent}", at_least=sent)
        run_.figures.add(f"ping{family}_rtt", float(rtt[1]) if rtt else 0, "ms on average")
        run_.event(f"ping {vip}: {received[1] if received else 0} of {sent}")
    run_.go_on(1)


# --- NAT ----------------------------------------------------------------------------------------------------

# Service, VIP, family of the way to the backends.
_NAT = [("nat4", "203.0.113.20", 4), ("nat6", "2001:db8:ffff::20", 6),
        ("nat64", "2001:db8:ffff::64", 4), ("nat46", "203.0.113.46", 6)]


def nat(run_: Run) -> None:
    """HTTP through NAT to another port, v4, v6, NAT64 and NAT46; the PROXY protocol tells the client's address."""
    documents = [service(name, vip, "tcp", 80, "nat", family, forwarding={"proxy_protocol": True},
                          backend_port=PROXY_PORT)
                 for name, vip, family in _NAT]
    with extra_services(documents, [vip for _, vip, _ in _NAT]):
        run_.go_on(0.5)
        for name, vip, family in _NAT:
            _curl_through(run_, name, vip, family)
    run_.go_on(1)


def _curl_through(run_: Run, name: str, vip: str, family: int) -> None:
    asked, seen = 30, Counter()
    url = f"http://[{vip}]/" if ":" in vip else f"http://{vip}/"
    client = CLIENT.ipv6 if ":" in vip else CLIENT.ipv4
    sources = {s for pair in topology.NAT_SOURCES.values() for s in pair if (":" in s) == (family == 6)}
    strangers = 0
    for _ in range(asked):
        words = _curl(url).split()
        if len(words) != 3 or words[1] != client or words[2] not in sources:
            strangers += 1
            run_.event(f"{name}: '{' '.join(words)}'")
        else:
            seen[words[0]] += 1
    whole = sum(len(_curl(url + "large")) == LARGE_BYTES for _ in range(5))
    run_.event(f"{name}: {sum(seen.values())} of {asked} answers name {client} as the client, by {dict(seen)}")
    run_.figures.add(f"{name}_answers", sum(seen.values()), f"of {asked}", at_least=asked)
    run_.figures.add(f"{name}_backends", len(seen), "backends", at_least=len(BACKENDS))
    run_.figures.add(f"{name}_whole_downloads", whole, "of 5 x 64 KiB", at_least=5)


# --- path MTU -----------------------------------------------------------------------------------------------

def path_mtu(run_: Run) -> None:
    """Uploads over a 1,500-byte path to the backends: the gateways say what fits, or the handshake already does."""
    with _mtu(GATEWAYS, _CLIENT_MTU):
        for vip in (VIP4, VIP6):
            family = 6 if ":" in vip else 4
            run(["ip", f"-{family}", "route", "flush", "cache"], ns=CLIENT.namespace)
            url = f"http://[{vip}]/" if family == 6 else f"http://{vip}/"
            before = _told_too_big()
            body = "x" * 500_000
            answers = [_curl(url, upload=body) for _ in range(3)]
            whole = sum(a.strip() in {b.name for b in BACKENDS} for a in answers)
            learned = re.search(r"mtu (\d+)", run(["ip", f"-{family}", "route", "get", vip], ns=CLIENT.namespace))
            told = _told_too_big() - before
            run_.event(f"{vip}: {whole} of 3 uploads, {told} packets answered, path MTU {learned and learned[1]}")
            run_.figures.add(f"upload{family}_whole", whole, "of 3 x 500 kB", at_least=3)
            run_.figures.add(f"upload{family}_told", told, "packets too big", at_least=1)
            run_.figures.add(f"upload{family}_path_mtu", int(learned[1]) if learned else 0, "bytes",
                             at_least=1280, at_most=_CLIENT_MTU - 20)
        _flush_learned()
        with _mtu(BACKENDS, _CLIENT_MTU):
            _with_clamp(run_)
    _flush_learned()
    run_.go_on(1)


def _with_clamp(run_: Run) -> None:
    """Nodes that see a path of 1,500 bytes tell clients so with the handshake: no packet is too big any more."""
    wait_until("the nodes to clamp the MSS", lambda: all(_handshake_mss(vip) < 1440 for vip in (VIP4, VIP6)), 5)
    before = _told_too_big()
    answers = [_curl(f"http://{vip}/", upload="x" * 500_000) for vip in (VIP4, f"[{VIP6}]") for _ in range(3)]
    whole = sum(a.strip() in {b.name for b in BACKENDS} for a in answers)
    told = _told_too_big() - before
    run_.event(f"with the MSS clamp ({_handshake_mss(VIP4)} and {_handshake_mss(VIP6)} bytes): {whole} of 6 uploads, "
               f"{told} packets answered")
    run_.figures.add("clamped_whole", whole, "of 6 x 500 kB", at_least=6)
    run_.figures.add("clamped_told", told, "packets too big", at_most=0)


def _handshake_mss(vip: str) -> int:
    """Bytes of data in a full segment to the VIP, as the client's kernel has it after the handshake."""
    code = ("import socket, sys; s = socket.create_connection((sys.argv[1], 80), 2); "
            "print(s.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG))")
    return int(run([*_PYTHON, "-c", code, vip], ns=CLIENT.namespace))


def _flush_learned() -> None:
    for family in ("-4", "-6"):
        run(["ip", family, "route", "flush", "cache"], ns=CLIENT.namespace)


@contextlib.contextmanager
def _mtu(hosts: list[Host], mtu: int) -> Iterator[None]:
    """The hosts' links with another MTU at both ends."""
    def each(value: int) -> None:
        for h in hosts:
            run(["ip", "link", "set", "dev", "eth0", "mtu", str(value)], ns=h.namespace)
            run(["ip", "link", "set", "dev", h.name, "mtu", str(value)], ns=_ROUTER_NS)
        processes.create_services()
        processes.wait_for_generation()

    each(mtu)
    try:
        yield
    finally:
        each(hosts[0].mtu)


def _told_too_big() -> int:
    """Packets that the client's kernel was told are too big, both families."""
    total = 0
    for line in run(["nstat", "-asz", "IcmpInDestUnreachs", "Icmp6InPktTooBigs"], ns=CLIENT.namespace).splitlines():
        if not line.startswith("#"):
            total += int(line.split()[1])
    return total


# --- DNS ----------------------------------------------------------------------------------------------------

_DNS_PREFIX = "203.0.113.64/28"
_DNS_VIPS = ["203.0.113.64", "203.0.113.70", "203.0.113.79"]
_DNS_VIP6 = "2001:db8:ffff::53"


def dns(run_: Run) -> None:
    """DNS servers behind one-shot UDP services, one of them a VIP prefix: every query answered, no flow remembered."""
    documents = [service("dns4", _DNS_PREFIX, "udp", 53, "gue", 4, one_shot=True),
                 service("dns6", _DNS_VIP6, "udp", 53, "ipip", 6, one_shot=True)]
    with extra_services(documents, [_DNS_PREFIX, _DNS_VIP6]), _each_backend("dns", lambda b: [
            "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root",
            "--pid-file=", "--port=53", f"--txt-record=who.lab,{b.name}"]):
        for b in BACKENDS:
            wait_until(f"dnsmasq on {b.name}", lambda b=b: run(["ss", "-Huln", "sport", "=", ":53"], ns=b.namespace), 5)
        asked = 100
        answers = json.loads(run([*_PYTHON, str(_HERE / "dns_client.py"), "who.lab", str(asked), *_DNS_VIPS, _DNS_VIP6],
                                 ns=CLIENT.namespace, timeout=20))
        total = sum((Counter(a) for a in answers.values()), Counter())
        for vip, a in answers.items():
            run_.event(f"DNS at {vip}: {a}")
        run_.figures.add("dns_answered", sum(total.values()) - total["lost"], f"of {asked * len(answers)}",
                         at_least=asked * len(answers))
        run_.figures.add("dns_servers", len({b.name for b in BACKENDS} & set(total)), "servers", at_least=len(BACKENDS))
    run_.go_on(1)


# --- QUIC ---------------------------------------------------------------------------------------------------

_QUIC_VIP, _QUIC_PORT = "203.0.113.44", 443
_SECOND_CLIENT = f"{CLIENT.ipv4.rsplit('.', 1)[0]}.77"


def quic(run_: Run) -> None:
    """Connections by QUIC connection ID keep their backend when the client's address and port change."""
    ids = {b.name: f"{n:04x}" for n, b in enumerate(BACKENDS, 1)}
    document = service("quic4", _QUIC_VIP, "udp", _QUIC_PORT, "gue", 4, quic={"configs": [
        {"rotation": 0, "server_id_length": 2, "nonce_length": 5}]})
    for backend in document["backends"]:
        backend["quic_server_id"] = ids[backend["id"]]
    run(["ip", "addr", "replace", f"{_SECOND_CLIENT}/24", "dev", "eth0"], ns=CLIENT.namespace)
    try:
        with extra_services([document], [_QUIC_VIP]), _each_backend("quic", lambda b: [
                *_PYTHON, str(_HERE / "quic_peer.py"), "server", _QUIC_VIP, str(_QUIC_PORT), b.name, ids[b.name]]):
            for b in BACKENDS:
                wait_until(f"the QUIC peer on {b.name}",
                           lambda b=b: run(["ss", "-Huln", "sport", "=", f":{_QUIC_PORT}"], ns=b.namespace), 5)
            connections = 60
            sources = [CLIENT.ipv4, CLIENT.ipv4, _SECOND_CLIENT]  # an address with a new port, then a new address
            result = json.loads(run([*_PYTHON, str(_HERE / "quic_peer.py"), "client", _QUIC_VIP, str(_QUIC_PORT),
                                     str(connections), *sources], ns=CLIENT.namespace, timeout=25))
            if captures := _quic_captures():
                _replay(run_, captures)
    finally:
        run(["ip", "addr", "del", f"{_SECOND_CLIENT}/24", "dev", "eth0"], ns=CLIENT.namespace, check=False)
    run_.event(f"QUIC: {result}")
    run_.figures.add("quic_opened", sum(result["opened"].values()), f"of {connections}", at_least=connections)
    run_.figures.add("quic_backends", len(result["opened"]), "backends", at_least=len(BACKENDS))
    run_.figures.add("quic_kept", result["kept"], "packets after migration", at_least=2 * connections)
    run_.figures.add("quic_moved", result["moved"], "to another backend", at_most=0)
    run_.figures.add("quic_lost", result["lost"], "datagrams", at_most=0)
    run_.go_on(1)


# Handshakes of real clients. The captures are no part of the project: without them the scenario goes without.
def _quic_captures() -> list[str]:
    folder = _HERE.parents[1].parent / "shared" / "data" / "pcap-zeek" / "quic"
    return [str(file) for file in sorted(folder.glob("*.pcap*"))]


def _replay(run_: Run, captures: list[str]) -> None:
    result = json.loads(run([*_PYTHON, str(_HERE / "quic_peer.py"), "replay", _QUIC_VIP, str(_QUIC_PORT), CLIENT.ipv4,
                             *captures], ns=CLIENT.namespace, timeout=40))
    run_.event(f"QUIC of {len(captures)} captures: {result}")
    run_.figures.add("quic_replayed", result["connections"], "connections of real clients", at_least=1)
    run_.figures.add("quic_replayed_split", result["split"], "over several backends", at_most=0)
    run_.figures.add("quic_replayed_lost", result["lost"], f"of {result['datagrams']} datagrams", at_most=0)


# --- parts --------------------------------------------------------------------------------------------------

@contextlib.contextmanager
def _each_backend(name: str, command: Any) -> Iterator[None]:
    """One process more on every backend."""
    try:
        for b in BACKENDS:
            spawn(f"{b.name}-{name}", command(b), ns=b.namespace)
        yield
    finally:
        for b in BACKENDS:
            stop(f"{b.name}-{name}")


def _curl(url: str, *, upload: str | None = None) -> str:
    """The body of one answer; empty when there is none."""
    data = ["--data-binary", "@-"] if upload is not None else []
    return run(["curl", "-sg", "--max-time", "5", "-H", "Expect:", *data, url], ns=CLIENT.namespace, check=False,
               input_text=upload, timeout=10)
