"""Scenarios of announcements: what a gateway says to the router, whichever routing daemon carries it."""
from __future__ import annotations

import contextlib
import time
from typing import Iterator

from . import network, other_routing, processes, rest, routing
from .fault_run import FaultRun
from .system import wait_until
from .topology import GATEWAYS, VIP4, VIP6, Host

_GW2 = GATEWAYS[1]
_BOTH = [g.name for g in GATEWAYS]
_PATIENCE_SECONDS = 15


def routing_frr(run: FaultRun) -> None:
    """FRR carries preference, drain and withdrawal of single VIPs and of a gateway: nothing breaks."""
    run.hold()
    _announcements(run)
    run.conclude(gap_ms=500)


def routing_bird(run: FaultRun) -> None:
    """The same with BIRD in place of gw2's FRR."""
    _with_daemon(run, "bird")


def routing_gobgp(run: FaultRun) -> None:
    """The same with GoBGP in place of gw2's FRR."""
    _with_daemon(run, "gobgp")


def _with_daemon(run: FaultRun, daemon: str) -> None:
    run.hold()
    with _replaced(run, daemon):
        _announcements(run)
    run.conclude(gap_ms=500)


@contextlib.contextmanager
def _replaced(run: FaultRun, daemon: str) -> Iterator[None]:
    """gw2 drained, its FRR exchanged for another routing daemon, and back at the end."""
    try:
        _leave(run)
        _exchange(run, "frr", daemon)
        _come_back(run)
        yield
    finally:
        _leave(run)
        _exchange(run, daemon, "frr")
        _come_back(run)


def _leave(run: FaultRun) -> None:
    rest.call("POST", f"/gateways/{_GW2.name}/drain", {"deadline_seconds": 3})
    for vip in (VIP4, VIP6):
        _expect(run, vip, ["gw1"])


def _exchange(run: FaultRun, old: str, new: str) -> None:
    processes.stop_gateway_agent(_GW2)
    other_routing.stop_daemon(_GW2, old)
    # The agent first: it writes what BIRD's configuration includes.
    processes.start_gateway_agent(_GW2, new)
    other_routing.start(_GW2, new)
    processes.wait_for_sessions_of_gateways()
    run.event(f"gw2 announces by {new}")


def _come_back(run: FaultRun) -> None:
    called = time.monotonic()
    rest.call("POST", f"/gateways/{_GW2.name}/undrain")
    for vip in (VIP4, VIP6):
        _expect(run, vip, _BOTH, 30)
    run.event(f"gw2 is announced {time.monotonic() - called:.2f} s after the request")


def _announcements(run: FaultRun) -> None:
    for vip, other in ((VIP4, VIP6), (VIP6, VIP4)):
        _policy({"vips": {vip: {"drain": True}}})
        _step(run, f"drained_{_family(vip)}", vip, ["gw1"], other, _BOTH)
        paths = routing.bgp_paths(vip)
        run.figures.add(f"drained_{_family(vip)}_paths", len(paths), "paths known to the router", at_least=2)
        _policy({"vips": {vip: {"drain": False}}})
        _step(run, f"undrained_{_family(vip)}", vip, _BOTH, other, _BOTH)
        _policy({"vips": {vip: {"withhold": True}}})
        _step(run, f"withheld_{_family(vip)}", vip, ["gw1"], other, _BOTH)
        _policy({"vips": {vip: {"withhold": False}}})
        _step(run, f"announced_{_family(vip)}", vip, _BOTH, other, _BOTH)
    _policy({"med": 100})
    _step(run, "passive_by_med", VIP4, ["gw1"], VIP6, ["gw1"])
    _policy({"med": 0})
    _step(run, "active_by_med", VIP4, _BOTH, VIP6, _BOTH)
    run.look("preference and drains")


def _policy(change: dict) -> None:
    rest.call("PATCH", f"/gateways/{_GW2.name}", change)


def _step(run: FaultRun, what: str, vip: str, gateways: list[str], other: str, others: list[str]) -> None:
    called = time.monotonic()
    _expect(run, vip, gateways)
    _expect(run, other, others)
    run.figures.add(what, time.monotonic() - called, "s from REST to the router's routes", at_most=3)
    run.go_on(max(1, 3 * run.scale.time))


def _expect(run: FaultRun, vip: str, gateways: list[str], seconds: float = _PATIENCE_SECONDS) -> None:
    wait_until(f"a route at the router to {vip} over {' and '.join(gateways)}",
               lambda: network.gateway_next_hops(vip) == gateways, seconds, logs=["gw2-gateway"])


def _family(vip: str) -> str:
    return "6" if ":" in vip else "4"
