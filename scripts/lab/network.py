"""Namespaces and links. The veth settings are what XDP and AF_XDP need; each has its reason beside it."""
from __future__ import annotations

import re
from pathlib import Path

from . import topology
from .system import RUN, run
from .topology import BACKENDS, CLIENT, GATEWAYS, HOSTS, JOINING, JOINING_BACKENDS, PREFIX, ROUTER, Host

_ROUTER_NS = PREFIX + ROUTER
# Namespaces of labs, those of another version included: it may have had more hosts.
_OWN = re.compile(re.escape(PREFIX) + r"(client|router|ctl|gw\d+|be\d+)")
# The kernel's own shortest retransmission timeout, 200 ms, would hide every outage that is shorter.
_RTO_MIN = "50ms"
VIP_ROUTE_PROTOCOL = 99


def create() -> None:
    for ns in topology.NAMESPACES:
        run(["ip", "netns", "add", ns])
        run(["ip", "link", "set", "lo", "up"], ns=ns)
    _sysctl(_ROUTER_NS, {
        "net.ipv4.ip_forward": 1,
        "net.ipv6.conf.all.forwarding": 1,
        # Hash ports too, so that one client's connections spread over both gateways.
        "net.ipv4.fib_multipath_hash_policy": 1,
        "net.ipv6.fib_multipath_hash_policy": 1,
    })
    for h in HOSTS:
        _link(h)
    for h in HOSTS:
        _neighbours(h)
    _let_backends_transmit()
    for g in [*GATEWAYS, JOINING]:
        for source in topology.NAT_SOURCES[g.name]:
            family, via = ("-6", g.ipv6) if ":" in source else ("-4", g.ipv4)
            run(["ip", family, "route", "add", source, "via", via], ns=_ROUTER_NS)


def _link(h: Host) -> None:
    ns = h.namespace
    # One queue each way: what a veth hashes to a second queue silently misses the AF_XDP socket.
    run(["ip", "link", "add", "name", "eth0", "netns", ns, "mtu", str(h.mtu), "numrxqueues", "1",
         "numtxqueues", "1", "type", "veth", "peer", "name", h.name, "netns", _ROUTER_NS, "mtu", str(h.mtu),
         "numrxqueues", "1", "numtxqueues", "1"])
    for where, dev, v4, v6 in ((ns, "eth0", h.ipv4, h.ipv6), (_ROUTER_NS, h.name, h.router_ipv4, h.router_ipv6)):
        _sysctl(where, {
            f"net.ipv4.conf.{dev}.rp_filter": 0,  # direct server return is asymmetric by nature
            f"net.ipv6.conf.{dev}.accept_dad": 0,
            f"net.ipv6.conf.{dev}.accept_ra": 0,
        })
        # A veth hands out unfinished checksums and merged segments; XDP and DPDK need real packets.
        run(["ethtool", "-K", dev, "tx", "off", "tso", "off", "gso", "off", "gro", "off"], ns=where)
        run(["ip", "addr", "add", f"{v4}/24", "dev", dev], ns=where)
        run(["ip", "addr", "add", f"{v6}/64", "dev", dev, "nodad"], ns=where)
        run(["ip", "link", "set", dev, "up"], ns=where)
    _sysctl(ns, {"net.ipv4.conf.all.rp_filter": 0})
    ends = h in [*BACKENDS, *JOINING_BACKENDS, CLIENT]
    timeout = ["rto_min", _RTO_MIN] if ends else []
    run(["ip", "route", "add", "default", "via", h.router_ipv4, *timeout], ns=ns)
    run(["ip", "-6", "route", "add", "default", "via", h.router_ipv6, *timeout], ns=ns)
    if ends:
        # A few hundred connections a second for minutes: more ports, and none blocked in TIME_WAIT.
        _sysctl(ns, {"net.ipv4.ip_local_port_range": "10240 65000", "net.ipv4.tcp_tw_reuse": 1})


def _neighbours(h: Host) -> None:
    """Both ends learn each other, so that the first packet of a test does not wait for ARP or ND."""
    run(["ping", "-c", "1", "-W", "2", h.router_ipv4], ns=h.namespace)
    run(["ping", "-c", "1", "-W", "2", h.router_ipv6], ns=h.namespace)


def _let_backends_transmit() -> None:
    """A veth takes what XDP sends (a backend's packet for the next hop) only if its other end runs XDP as well."""
    source, program = Path(__file__).with_name("xdp_pass.bpf.c"), RUN / "xdp_pass.o"
    run(["clang-14", "-O2", "-g", "-target", "bpf", "-I/usr/include/x86_64-linux-gnu", "-c", str(source), "-o",
         str(program)])
    for b in [*BACKENDS, *JOINING_BACKENDS]:
        run(["ip", "link", "set", "dev", b.name, "xdpdrv", "obj", str(program), "sec", "xdp"], ns=_ROUTER_NS)


def silence(h: Host) -> None:
    """Cuts a host off as a lost power supply behind a switch does: no packet more, and no carrier loss.

    A rule before every table makes all of the kernel's route look-ups fail: what its dying daemons would
    still say (TCP resets, BGP notifications) never leaves.
    """
    for family in ("-4", "-6"):
        run(["ip", family, "rule", "add", "pref", "0", "blackhole"], ns=h.namespace)


def unsilence(h: Host) -> None:
    for family in ("-4", "-6"):
        run(["ip", family, "rule", "del", "pref", "0", "blackhole"], ns=h.namespace, check=False)


def cut(h: Host) -> None:
    """Takes the link of a host down, at the router's end: carrier and neighbours are gone."""
    run(["ip", "link", "set", "dev", h.name, "down"], ns=_ROUTER_NS)


def mend(h: Host) -> None:
    run(["ip", "link", "set", "dev", h.name, "up"], ns=_ROUTER_NS)
    # IPv6 addresses do not outlive a link that goes down.
    run(["ip", "addr", "replace", f"{h.router_ipv6}/64", "dev", h.name, "nodad"], ns=_ROUTER_NS)
    _neighbours(h)


def lose_probes(h: Host) -> None:
    """From now on the router drops the probes of a host, and nothing else: GUE control messages (the C bit)."""
    rules = "".join(f"{family} daddr {address} udp dport 6080 @th,64,8 & 0x20 == 0x20 drop\n"
                    for family, address in (("ip", h.ipv4), ("ip6", h.ipv6)))
    run(["nft", "-f", "-"], ns=_ROUTER_NS, input_text="table inet penstock-probes {\nchain forward {\n"
        f"type filter hook forward priority 0\n{rules}}}\n}}\n")


def find_probes() -> None:
    run(["nft", "delete", "table", "inet", "penstock-probes"], ns=_ROUTER_NS, check=False)


def forget_vips(h: Host) -> None:
    """The routes that a killed agent left are gone after a reboot."""
    for family in ("-4", "-6"):
        run(["ip", family, "route", "flush", "table", "all", "proto", str(VIP_ROUTE_PROTOCOL)], ns=h.namespace,
            check=False)


def gateway_next_hops(vip: str) -> list[str]:
    """Names of the gateways that the router's kernel now spreads a VIP or VIP prefix over."""
    import json
    family, length = ("-6", 128) if ":" in vip else ("-4", 32)
    prefix = vip if "/" in vip else f"{vip}/{length}"
    out = run(["ip", "-j", family, "route", "show", prefix], ns=_ROUTER_NS, check=False)
    devices = set()
    for route in json.loads(out or "[]"):
        devices |= {hop.get("dev") for hop in route.get("nexthops", [])} | {route.get("dev")}
    return [g.name for g in [*GATEWAYS, JOINING] if g.name in devices]


def existing() -> list[str]:
    out = run(["ip", "netns", "list"], check=False)
    present = [line.split()[0] for line in out.splitlines() if line.strip()]
    return sorted(ns for ns in present if _OWN.fullmatch(ns))


def destroy() -> None:
    for ns in existing():
        run(["ip", "netns", "del", ns], check=False)


def _sysctl(ns: str, values: dict[str, int | str]) -> None:
    for key, value in values.items():
        path = "/proc/sys/" + key.replace(".", "/")
        run(["sh", "-c", f"echo '{value}' > {path}"], ns=ns)
