"""Fault scenarios of weights, backends and the control plane. Each holds thousands of flows, see fault_run.py."""
from __future__ import annotations

import os
import signal
import time

from . import analysis, flow_report, processes, rest, topology
from .churn import WeightChurn
from .fault_run import FaultRun
from .system import pid_of, wait_until
from .topology import BACKENDS, GATEWAYS, SERVICES, WEIGHTS

_BE1, _BE3 = topology.host("be1"), topology.host("be3")


def weight_churn(run: FaultRun) -> None:
    """The weights of all backends change 10 times a second for 60 s: nothing breaks, no gap."""
    run.hold()
    with WeightChurn() as churn:
        run.fault(f"weights of all backends change 10 times a second (seed {churn.seed})")
        run.go_on(max(8, 60 * run.scale.time))
        rate = churn.rounds_per_second
    run.event(f"{churn.rounds} rounds of {len(SERVICES)} services, {rate:.1f} a second")
    run.figures.add("weight_changes", rate, "a second, of every service", at_least=9)
    run.figures.add("weight_changes_refused", churn.failed, "writes", at_most=0)
    run.conclude()


def backend_churn(run: FaultRun) -> None:
    """A backend is added, another one drained, left by its clients and removed: nothing breaks, no gap."""
    _put({b: w for b, w in WEIGHTS.items() if b != _BE3.name})
    run.forgiven.append((0, time.monotonic() + 1.5))  # be3 had flows of before the scenario
    run.hold()
    pause = max(4, 12 * run.scale.time)
    called = run.fault("be3 is added to all services")
    _put(WEIGHTS)
    run.go_on(pause)
    first = [r.start for r in analysis.began(run.client.records(), called) if r.backend == _BE3.name and not r.error]
    run.figures.add("added", min(first, default=float("inf")) - called, "s from REST to its first flow", at_most=2)
    run.event(f"drain of {_BE1.name}")
    for s in SERVICES:
        rest.call("POST", f"/services/{s.id}/backends/{_BE1.name}/drain")
    run.go_on(pause)
    run.look("drained")
    _leave(run)
    _put({b: w for b, w in WEIGHTS.items() if b != _BE1.name})
    run.event("be1 is removed from all services")
    run.go_on(pause)
    run.conclude()


def _leave(run: FaultRun) -> None:
    """The drained backend's clients end their connections; new ones go elsewhere."""
    run.flows.retire(_BE1.name)
    run.client.retire(_BE1.name)
    waited = wait_until(f"the last flow of {_BE1.name} to end",
                        lambda: _BE1.name not in flow_report.shares(run.flows.report()), 20, interval=0.5)
    run.event(f"the clients left be1 within {waited:.1f} s")
    run.go_on(1.5)


def backend_crash(run: FaultRun) -> None:
    """All processes of a backend are killed: only its own flows break, new ones avoid it within 100 ms."""
    run.hold()
    run.go_on(2)
    run.fault("")
    run.kill_backend(_BE1)
    run.go_on(max(5, 10 * run.scale.time))
    run.outage_of_new(0.1)
    run.look("be1 dead")
    run.revive_backends()
    back = time.monotonic()
    waited = wait_until("new flows to be1", lambda: analysis.last_new_flow(
        run.client.records()[-2000:], _BE1.name, back, float("inf")), 15)
    run.figures.add("back", waited, "s from its start to a new flow")
    run.go_on(2)
    run.conclude()


def control_down(run: FaultRun) -> None:
    """No control plane for 60 s: a gateway's agent and dataplane restart without it, and a backend dies."""
    run.hold()
    part = max(3, 20 * run.scale.time)
    os.kill(pid_of("controlplane"), signal.SIGKILL)
    run.event("SIGKILL to the control plane")
    run.go_on(part)
    _restart_without_control_plane(run, GATEWAYS[1])
    run.go_on(part)
    run.look("without a control plane")
    run.fault("")
    run.kill_backend(_BE1)
    run.go_on(part)
    run.outage_of_new(1.0)
    report = run.flows.report()
    processes.start_controlplane()
    processes.wait_for_sessions_of_gateways()
    run.event("control plane back, all gateways connected")
    run.revive_backends()
    processes.wait_for_sessions()
    run.go_on(2)
    run.conclude(gap_ms=1000, gaps_of=report)


def _restart_without_control_plane(run: FaultRun, g: topology.Host) -> None:
    os.kill(pid_of(f"{g.name}-gateway"), signal.SIGKILL)
    processes.start_gateway_agent(g)
    run.event(f"SIGKILL to the agent of {g.name}, started again without a control plane")
    run.go_on(2)
    run.crash_dataplane(g)


_DEADLINE_SECONDS = 6


def drain_deadline(run: FaultRun) -> None:
    """A drain with a deadline: with policy keep the connections stay, with policy reset they end at the deadline."""
    run.hold()
    before = _open_on(run, _BE1.name)
    _drain(run, "keep")
    run.go_on(_DEADLINE_SECONDS + 3)
    kept = _open_on(run, _BE1.name)
    run.figures.add("kept", kept, f"of {before} connections after the deadline", at_least=before)
    for s in SERVICES:
        rest.call("POST", f"/services/{s.id}/backends/{_BE1.name}/undrain")
    run.go_on(1)
    deadline = _drain(run, "reset") + _DEADLINE_SECONDS
    run.go_on(_DEADLINE_SECONDS - 2)
    run.figures.add("before_the_deadline", _open_on(run, _BE1.name), "connections", at_least=before)
    run.spared = frozenset({_BE1.name})
    run.fault_at = deadline
    run.go_on(6)
    report = run.flows.report()
    ended = [c for c in report.connections if c.backend == _BE1.name and not c.whole]
    run.event(f"{len(ended)} connections ended: {flow_report.reasons(ended)}")
    run.figures.add("reset_at_the_deadline", sum(1 for c in ended if c.broken == "reset"), f"of {before} connections",
                    at_least=before)
    times = [c.broken_at - deadline for c in ended]
    run.figures.add("first_reset", min(times, default=0.0), "s after the deadline", at_least=-1.1)
    run.figures.add("last_reset", max(times, default=float("inf")), "s after the deadline", at_most=3)
    left = sum(b.get("flows", 0) for s in SERVICES for b in rest.call("GET", f"/services/{s.id}/stats")["backends"]
               if b["backend"] == _BE1.name)
    run.figures.add("flows_left", left, "flows on the drained backend", at_most=0)
    run.forgiven.append((deadline - 1.5, deadline + 6))
    run.conclude()


def _drain(run: FaultRun, policy: str) -> float:
    called = time.monotonic()
    for s in SERVICES:
        rest.call("POST", f"/services/{s.id}/backends/{_BE1.name}/drain",
                  {"deadline_seconds": _DEADLINE_SECONDS, "policy": policy})
    run.event(f"drain of be1 with a deadline of {_DEADLINE_SECONDS} s, policy {policy}")
    return called


def _open_on(run: FaultRun, backend: str) -> int:
    return flow_report.shares(run.flows.report()).get(backend, 0)


def _put(weights: dict[str, int]) -> None:
    """All services with these backends."""
    for s in SERVICES:
        document = s.document({b.name: weights.get(b.name, 0) for b in BACKENDS})
        document["backends"] = [b for b in document["backends"] if b["id"] in weights]
        rest.call("PUT", f"/services/{s.id}", document)
    processes.wait_for_generation()
