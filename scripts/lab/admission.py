"""Whether health leaves the shares alone: who takes new flows, and how many went elsewhere than their slot says.

Shares are what weights say only while every backend takes all of its new flows. A restarted one is held down and
starts slowly, and on a machine with two CPUs for eleven hosts one is found dead or late now and then.
"""
from __future__ import annotations

import time

from . import rest
from .system import LabError, wait_until
from .topology import GATEWAYS, SERVICES

# Held down for 2 s, then 10 s of slow start; doubled once for one that fell twice.
_LIMIT_SECONDS = 30


def wait_for_all(out: frozenset[str] = frozenset()) -> float:
    """Waits until every backend but those in `out` takes all of its new flows, at every gateway."""
    _wait_for_reports()  # who fell a moment ago still counts as whole in the reports of before
    waiting = ["?"]

    def whole() -> bool:
        waiting[:] = _not_whole(out)
        return not waiting

    try:
        return wait_until("all backends to take all of their new flows", whole, _LIMIT_SECONDS, interval=0.25)
    except LabError as e:
        raise LabError(f"{e}: {'; '.join(waiting[:6])}") from None


def _not_whole(out: frozenset[str]) -> list[str]:
    wrong = []
    for service in SERVICES:
        for b in rest.call("GET", f"/services/{service.id}/health")["backends"]:
            if b["backend"] in out:
                continue
            for g in b["gateways"]:
                if not g["connected"] or (g["admitted_percent"] == 100 and not g["late"] and not g["busy"]):
                    continue
                wrong.append(f"{service.id}/{b['backend']} at {g['gateway']}: {g['admitted_percent']} %, reason "
                             f"{g['reason']}, breaker {g['breaker']['state']}{', late' if g['late'] else ''}"
                             f"{', busy' if g['busy'] else ''}")
    return wrong


def placed_elsewhere() -> int:
    """New flows that did not go to their slot's owner so far, at all gateways, before this call at least."""
    _wait_for_reports()
    total = 0
    for g in GATEWAYS:
        flows = rest.call("GET", f"/gateways/{g.name}").get("flows", {})
        total += sum(int(flows.get(key, 0)) for key in ("avoided_flows", "withheld_flows", "cooler_flows"))
    return total


def _wait_for_reports() -> None:
    """Until every connected gateway has reported since the call."""
    called = time.monotonic()

    def fresh() -> bool:
        backends = rest.call("GET", f"/services/{SERVICES[0].id}/health")["backends"]
        return all(g["age_seconds"] < time.monotonic() - called
                   for b in backends for g in b["gateways"] if g["connected"])

    wait_until("the gateways to report", fresh, 10, interval=0.1)
