"""One run with traffic: the steps that the demo strings together and the scenarios use one by one.

Every step notes what it did as an event and what it measured as figures. A step leaves the lab as its successor
in the demo expects it; Run.restore() puts everything back.
"""
from __future__ import annotations

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable

from . import admission, analysis, backends, network, processes, rest, routing, topology
from .analysis import Record
from .client import Client
from .figures import Figures
from .system import kill_namespace, namespace_pids, wait_until
from .topology import GATEWAYS, SERVICES, VIP4, VIP6, WEIGHTS, Host

SHARE_TOLERANCE_POINTS = 5
# Of the new flows that shares are judged by: more that health sent elsewhere, and it is not the weights that show.
_FEW_ELSEWHERE = 0.01
_ATTEMPTS = 4
CHANGE_LIMIT_SECONDS = 1.0
OUTAGE_LIMIT_SECONDS = 2.0


class Run:
    def __init__(self, suite: str, *, on_event: Callable[[str], None], on_tick: Callable[["Run"], None] | None = None,
                 client: Client | None = None):
        self.figures = Figures(suite)
        self.client = client or Client()
        self.weights = dict(WEIGHTS)  # in force now
        self.drained: set[str] = set()
        self.shares: list[tuple[str, dict[str, int], dict[str, float]]] = []  # phase, weights, measured
        self.forgiven: list[tuple[float, float]] = []  # spans in which requests may fail
        self.phase = "start"
        self.paths_before: dict[str, list[str]] = {}
        self.paths_after: dict[str, list[str]] = {}
        self._on_event, self._on_tick = on_event, on_tick
        self._dead: list[Host] = []

    def event(self, text: str) -> None:
        self._on_event(f"[{time.monotonic() - self.client.began:5.1f} s] {text}")

    def start(self) -> None:
        waited = admission.wait_for_all()
        self.client.start()
        if waited > 1:
            self.event(f"waited {waited:.1f} s until all backends took all of their new flows")
        wait_until("the first answers", lambda: len(self.client.records()) > 50, 10)

    def go_on(self, seconds: float) -> float:
        """Lets traffic flow; returns when it began to be observed."""
        begin = time.monotonic()
        while time.monotonic() < begin + seconds:
            self.client.require_alive()
            if self._on_tick:
                self._on_tick(self)
            time.sleep(0.1)
        return begin

    # --- steps ----------------------------------------------------------------------------------------------

    def observe_shares(self, phase: str, seconds: float) -> None:
        self.phase = phase
        for _ in range(_ATTEMPTS):
            before = self._placed_elsewhere()
            begin = self.go_on(seconds)
            flows = analysis.began(self.client.records(), begin)
            new = sum(1 for r in flows if r.new_flow)
            after = self._placed_elsewhere()
            elsewhere = 0 if before is None or after is None else after - before
            if elsewhere <= _FEW_ELSEWHERE * new:
                break
            self.event(f"{elsewhere} of {new} new flows went elsewhere because of health: weights do not show in these")
        weights = {b: 0 if b in self.drained else w for b, w in self.weights.items()}
        self.shares.append((phase, weights, analysis.shares(flows)))
        self.figures.add(f"share_error_{phase.replace(' ', '_')}", analysis.largest_share_error(flows, weights),
                         "percentage points", at_most=SHARE_TOLERANCE_POINTS)

    def _placed_elsewhere(self) -> int | None:
        """After the machine's own accidents are over; None without a control plane to ask."""
        try:
            admission.wait_for_all(frozenset(self.drained))
            return admission.placed_elsewhere()
        except OSError:
            return None

    def change_weight(self, backend: str, weight: int, seconds: float) -> None:
        """Changes one weight of every service by REST and waits for the answers to show it."""
        before = dict(self.weights)
        self.weights[backend] = weight
        called = time.monotonic()
        self._each_service(lambda s: rest.call("PATCH", f"/services/{s}/backends/{backend}", {"weight": weight}))
        self.event(f"REST: weight of {backend} {before[backend]} -> {weight} "
                   f"({(time.monotonic() - called) * 1000:.0f} ms for {len(SERVICES)} services)")
        self.go_on(1.5)
        changed = analysis.change_point(self.client.records(), called, before, self.weights)
        self.figures.add("weight_change", changed - called, "s from REST to answers",
                         at_most=CHANGE_LIMIT_SECONDS)
        self.event(f"the answers follow the new weights after {changed - called:.2f} s")
        self.observe_shares(f"weights {self._ratio()}", seconds)

    def drain(self, backend: str, seconds: float) -> None:
        """Drains one backend; its long-lived connections must go on and no new flow may come."""
        pinned = {r.flow for r in self.client.records()[-4000:] if r.kind == "long" and r.backend == backend}
        called = time.monotonic()
        self._each_service(lambda s: rest.call("POST", f"/services/{s}/backends/{backend}/drain"))
        self.drained.add(backend)
        self.event(f"REST: {backend} drained, {len(pinned)} long-lived connections on it")
        self.go_on(1.5)
        self.observe_shares(f"{backend} drained", seconds)
        records = analysis.began(self.client.records(), called)
        last = analysis.last_new_flow(records, backend, called, float("inf"))
        self.figures.add("drain", (last or called) - called, "s from REST to last new flow",
                         at_most=CHANGE_LIMIT_SECONDS)
        late = [r for r in records if r.new_flow and r.backend == backend and r.start > called + CHANGE_LIMIT_SECONDS]
        self.figures.add("drained_new_flows", len(late), "flows", at_most=0)
        self._show(late, "new flow on the drained backend")
        on_it = [r for r in records if r.kind == "long" and r.flow in pinned]
        self.figures.add("drained_connections", len({r.flow for r in on_it if not r.error}), "connections went on",
                         at_least=max(1, len(pinned)))
        self.figures.add("drained_lost", len(analysis.failed(on_it)), "connections", at_most=0)

    def restart_drained(self, host: Host) -> None:
        """Lets the last clients go, restarts nginx and takes the backend in again."""
        self.phase = f"{host.name} restarted"
        self.client.retire(host.name)
        waited = wait_until(f"the last connection to {host.name} to end",
                            lambda: self._tick() or backends.open_connections(host) == 0, 10)
        self.event(f"the last client left {host.name} after {waited:.1f} s; nginx restarts")
        backends.restart_nginx(host)
        self._each_service(lambda s: rest.call("POST", f"/services/{s}/backends/{host.name}/undrain"))
        self.drained.discard(host.name)
        called = time.monotonic()
        waited = wait_until(f"new flows to {host.name}", lambda: self._tick() or analysis.last_new_flow(
            self.client.records()[-2000:], host.name, called, float("inf")), 5)
        self.figures.add("undrain", waited, "s from REST to a new flow", at_most=CHANGE_LIMIT_SECONDS)
        self.event(f"{host.name} takes new flows again, {waited:.2f} s after the REST call")

    def count_gateways(self) -> None:
        """How many gateways forwarded packets of every service so far."""
        forwarded = self.forwarded_by_gateway()
        self.figures.add("gateways_forwarding", sum(1 for n in forwarded.values() if n > 0), "gateways",
                         at_least=len(GATEWAYS))

    def kill_gateway(self, g: Host, seconds: float) -> None:
        """SIGKILL to all that runs on a gateway, and silence: what a lost host looks like behind a switch."""
        self.phase = f"without {g.name}"
        self.paths_before = {vip: routing.bgp_paths(vip) for vip in (VIP4, VIP6)}
        killed = time.monotonic()
        network.silence(g)
        count = len(kill_namespace(g.namespace, signal.SIGKILL))
        self._dead.append(g)
        self.forgiven.append((killed - 0.5, killed + OUTAGE_LIMIT_SECONDS))
        self.event(f"SIGKILL to {count} processes of {g.name}, host silent")
        left = [h for h in GATEWAYS if h not in self._dead]
        routing.wait_for_ecmp(left, 10)
        rerouted = time.monotonic() - killed
        self.event(f"the router dropped {g.name} after {rerouted:.2f} s (BFD)")
        self.go_on(max(seconds, 2 * OUTAGE_LIMIT_SECONDS))
        until = time.monotonic() - 1.5  # younger requests may still be under way
        cost = analysis.outage(self.client.records(), killed, until)
        self.figures.add("gateway_death_rerouted", rerouted, "s until the router's routes changed")
        self.figures.add("gateway_death_outage", cost.seconds, "s until the last affected request",
                         at_most=OUTAGE_LIMIT_SECONDS)
        self.figures.add("gateway_death_longest_wait", cost.longest_wait, "s for one answer",
                         at_most=OUTAGE_LIMIT_SECONDS)
        self.figures.add("gateway_death_longest_gap", cost.longest_gap, "s without any answer",
                         at_most=OUTAGE_LIMIT_SECONDS)
        self.figures.add("gateway_death_failed", cost.failed, "requests")
        self.paths_after = {vip: routing.bgp_paths(vip) for vip in (VIP4, VIP6)}
        self.event(f"traffic went on: last affected request {cost.seconds:.2f} s after the death, "
                   f"longest wait {cost.longest_wait:.2f} s, {cost.failed} failed {cost.reasons}".rstrip())

    # --- the end --------------------------------------------------------------------------------------------

    def finish(self) -> list[Record]:
        """Stops the traffic and counts requests, and failures outside the spans in which they may happen."""
        records = self.client.stop()
        failures = analysis.failed(records)
        outside = [r for r in failures if not any(a <= r.start < b for a, b in self.forgiven)]
        self._show(outside, "failed")
        self.figures.add("requests", len(records), "requests", at_least=1)
        self.figures.add("requests_failed", len(failures), "requests")
        self.figures.add("requests_failed_outside", len(outside) - self.stray(outside, len(records)),
                         "outside what may fail", at_most=0)
        return records

    def stray(self, outside: list[Record], total: int) -> int:
        """How many of the failures may be put down to the machine."""
        return 0

    def restore(self) -> None:
        """Weights, drains and gateways as the lab started with."""
        self.client.kill()
        for g in self._dead:
            if not namespace_pids(g.namespace):
                processes.revive_gateway(g)
        self._dead.clear()
        processes.start_missing()
        processes.create_services()
        processes.wait_for_sessions()
        processes.wait_for_generation()
        routing.wait_for_sessions(GATEWAYS)
        routing.wait_for_ecmp(GATEWAYS)

    # --- parts ----------------------------------------------------------------------------------------------

    def forwarded_by_gateway(self) -> dict[str, int]:
        totals: dict[str, int] = {g.name: 0 for g in GATEWAYS}
        for service in SERVICES:
            for g in rest.call("GET", f"/services/{service.id}/stats").get("gateways", []):
                totals[g["gateway"]] = totals.get(g["gateway"], 0) + int(g["outcomes"].get("forwarded", 0))
        return totals

    def _each_service(self, action: Callable[[str], Any]) -> None:
        with ThreadPoolExecutor(len(SERVICES)) as pool:
            for done in [pool.submit(action, s.id) for s in SERVICES]:
                done.result()

    def _show(self, records: list[Record], what: str, most: int = 5) -> None:
        for r in records[:most]:
            self.event(f"{what}: {r.kind} to target {r.target} begun at {r.start - self.client.began:.2f} s, flow "
                       f"{r.flow}.{r.sequence} of {r.backend or 'nobody'}{': ' if r.error else ''}{r.error}")

    def _ratio(self) -> str:
        return ":".join(str(self.weights[b.name]) for b in topology.BACKENDS)

    def _tick(self) -> None:
        if self._on_tick:
            self._on_tick(self)
