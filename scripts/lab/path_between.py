"""What happens between gateways and router on request: replication is lost, flows change their gateway."""
from __future__ import annotations

import contextlib
import json
import subprocess
import time
from pathlib import Path
from typing import Iterator

from .system import LabError, in_namespace, run
from .topology import CLIENT, GATEWAYS, NAT_SOURCES, PREFIX, ROUTER, SYNC_PORT

_ROUTER_NS = PREFIX + ROUTER
_TABLE = "penstock_lab"
# Looked at before the main table. A route beside BGP's own would make zebra take its away, and back too late.
_STATIC_TABLE, _STATIC_RULE = "77", "77"


@contextlib.contextmanager
def replication_loss(percent: int) -> Iterator[None]:
    """Within the block, so many of a hundred packets between the gateways' replications are lost, UDP and TCP."""
    some = f"numgen random mod 100 < {percent}" if percent < 100 else ""
    rules = "\n".join(f"{protocol} {port} {SYNC_PORT} {some} counter drop"
                      for protocol in ("udp", "tcp") for port in ("dport", "sport"))
    _nft(f"table inet {_TABLE} {{\n chain forward {{\n type filter hook forward priority 0;\n{rules}\n}}\n}}")
    try:
        yield
    finally:
        _nft(f"delete table inet {_TABLE}")


def _nft(text: str) -> None:
    run(["nft", "-f", "-"], ns=_ROUTER_NS, input_text=text + "\n")


@contextlib.contextmanager
def enemy(mode: str) -> Iterator[dict[str, int]]:
    """replication_enemy.py within the block; what it sent is in the dictionary afterwards."""
    script = Path(__file__).with_name("replication_enemy.py")
    process = subprocess.Popen(in_namespace(_ROUTER_NS, [
        "/usr/bin/python3", "-B", str(script), mode, str(SYNC_PORT), *(g.ipv4 for g in GATEWAYS)]),
        stdout=subprocess.PIPE, text=True)
    sent: dict[str, int] = {}
    try:
        yield sent
    finally:
        process.terminate()
        output = process.communicate(timeout=10)[0]
        if not output:
            raise LabError(f"replication_enemy.py {mode} ended without a word")
        sent.update(json.loads(output))


def rehash(vips: list[str], *, answers: bool) -> None:
    """Every flow to the VIPs changes its gateway: static routes with the next hops in the other order.

    answers: what backends send to a NAT source goes to the other gateway as well.
    """
    if not run(["ip", "rule", "list", "pref", _STATIC_RULE], ns=_ROUTER_NS):
        for vip in vips:
            order = _gateways_by_hash(vip)
            hops = [word for g in reversed(order) for word in ("nexthop", "via", _via(g, vip), "dev", g.name)]
            run(["ip", _family(vip), "route", "replace", vip, "table", _STATIC_TABLE, *hops], ns=_ROUTER_NS)
        _rules("add")
    if answers:
        _route_answers(list(reversed(GATEWAYS)))


def undo_rehash(vips: list[str]) -> None:
    _rules("del")
    for vip in vips:
        run(["ip", _family(vip), "route", "del", vip, "table", _STATIC_TABLE], ns=_ROUTER_NS, check=False)
    _route_answers(GATEWAYS)


def _gateways_by_hash(vip: str) -> list:
    """In the order in which the kernel lists them now; it gives each its part of the hash in that order."""
    out = run(["ip", _family(vip), "route", "show", vip], ns=_ROUTER_NS)
    return sorted(GATEWAYS, key=lambda g: out.find(f"dev {g.name} "))


def _rules(action: str) -> None:
    for family in ("-4", "-6"):
        run(["ip", family, "rule", action, "pref", _STATIC_RULE, "lookup", _STATIC_TABLE], ns=_ROUTER_NS,
            check=action == "add")


def _route_answers(gateways: list) -> None:
    for owner, g in zip(GATEWAYS, gateways):
        for source in NAT_SOURCES[owner.name]:
            run(["ip", _family(source), "route", "replace", source, "via", _via(g, source)], ns=_ROUTER_NS)


def gateways_of_flows(vip: str, ports: range) -> list[str]:
    """Which gateway the router's kernel sends the client's flows with these source ports to."""
    client = CLIENT.ipv6 if ":" in vip else CLIENT.ipv4
    found = []
    for port in ports:
        route = json.loads(run(["ip", "-j", _family(vip), "route", "get", vip, "from", client, "iif", CLIENT.name,
                                "ipproto", "tcp", "sport", str(port), "dport", "7"], ns=_ROUTER_NS))
        found.append(route[0].get("dev", ""))
    return found


def _family(address: str) -> str:
    return "-6" if ":" in address else "-4"


def _via(g, address: str) -> str:
    return g.ipv6 if ":" in address else g.ipv4
