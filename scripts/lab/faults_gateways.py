"""Fault scenarios of gateways. Each holds thousands of flows, see fault_run.py."""
from __future__ import annotations

import contextlib
import os
import signal
import time

from . import processes, rest, routing
from .churn import WeightChurn
from .fault_run import FaultRun
from .system import LabError, pid_of, run as run_command
from .topology import CTL, GATEWAYS, JOINING

_GW1, _GW2 = GATEWAYS


def gateway_crash(run: FaultRun) -> None:
    """A gateway dies at once (dataplane, agent, FRR; silent) while all weights change: gaps of at most 300 ms."""
    run.hold()
    with WeightChurn() as churn:
        run.go_on(max(3, 20 * run.scale.time))
        killed = run.fault(f"weights change all the time (seed {churn.seed})")
        run.kill_gateway_at_once(_GW1)
        routing.wait_for_ecmp([_GW2], 10)
        run.figures.add("rerouted", time.monotonic() - killed, "s until the router's routes changed")
        run.go_on(max(5, 20 * run.scale.time))
    run.outage_of_new(1.5)  # a lost SYN is sent again after a second
    report = run.look("gw1 dead")
    back = time.monotonic()
    run.revive_gateway(_GW1)
    routing.wait_for_sessions(GATEWAYS)
    run.wait_in_ecmp(_GW1)
    run.figures.add("back", time.monotonic() - back, "s from the start of the host until announced")
    run.go_on(max(4, 10 * run.scale.time))
    run.conclude(gap_ms=300, gaps_of=report)


def dataplane_crash(run: FaultRun) -> None:
    """A dataplane is killed while its host lives; a supervisor starts it again: gaps of at most 500 ms."""
    run.hold()
    run.go_on(1)
    run.fault("")
    run.crash_dataplane(_GW1)
    run.go_on(max(5, 15 * run.scale.time))
    run.outage_of_new(1.5)
    run.conclude(gap_ms=500)


def gateway_killed(run: FaultRun) -> None:
    """Dataplane and agent of a gateway are killed at once, FRR lives; the supervisor withdraws: gaps up to 500 ms."""
    run.hold()
    killed = run.fault("SIGKILL to dataplane and agent of gw1")
    for name in ("gw1-gateway", "gw1-dataplane"):
        os.kill(pid_of(name), signal.SIGKILL)
    processes.withdraw_unless_forwarding(_GW1)
    routing.wait_for_ecmp([_GW2], 10)
    run.figures.add("withdrawn", time.monotonic() - killed, "s until the router's routes changed")
    run.go_on(max(3, 10 * run.scale.time))
    run.outage_of_new(1.5)
    report = run.look("gw1 without processes")
    processes.start_gateway(_GW1)
    run.wait_in_ecmp(_GW1)
    run.go_on(max(3, 10 * run.scale.time))
    run.conclude(gap_ms=500, gaps_of=report)


def dataplane_upgrade(run: FaultRun) -> None:
    """Both dataplanes are upgraded, one after the other, by penstockctl: gaps of at most 50 ms."""
    run.hold()
    run.fault("")
    for g in GATEWAYS:
        before = pid_of(f"{g.name}-dataplane")
        called = time.monotonic()
        output = run_command([str(processes.BIN / "penstockctl"), "gateway", "upgrade", g.name, "--drain-timeout", "10s",
                              "--wait", "--timeout", "60s"],
                             ns=CTL.namespace, timeout=90)
        run.event(f"penstockctl gateway upgrade {g.name}: {' / '.join(output.split(chr(10))).strip(' /')}")
        after = pid_of(f"{g.name}-dataplane")
        run.figures.add(f"upgrade_{g.name}", time.monotonic() - called, "s until announced again")
        run.figures.add(f"new_process_{g.name}", int(after is not None and after != before), "process", at_least=1)
        run.wait_in_ecmp(g)
        run.go_on(max(3, 10 * run.scale.time))
        run.look(f"{g.name} upgraded")
    run.conclude(gap_ms=50)


def gateway_join(run: FaultRun) -> None:
    """A third gateway joins the pair, and leaves it again, drained: nothing breaks, no gap."""
    run.hold()
    began = run.fault("gw3 starts")
    try:
        routing.start_gateway(JOINING)
        processes.start_gateway(JOINING)
        routing.wait_for_sessions([JOINING])
        run.wait_in_ecmp(JOINING)
        run.figures.add("joined", time.monotonic() - began, "s from its start until announced")
        run.event(f"gw3 is announced after {time.monotonic() - began:.1f} s")
        run.go_on(max(5, 20 * run.scale.time))
        run.look("three gateways")
        forwarded = run.forwarded_by_gateway().get(JOINING.name, 0)
        run.figures.add("forwarded_by_the_third", forwarded, "packets", at_least=1)
        rest.call("POST", f"/gateways/{JOINING.name}/drain")
        run.event("drain of gw3")
        routing.wait_for_ecmp(GATEWAYS, 40)
        run.go_on(max(3, 8 * run.scale.time))
        run.conclude()
    finally:
        processes.stop_gateway(JOINING)
        routing.stop_gateway(JOINING)
        with contextlib.suppress(LabError):
            rest.call("POST", f"/gateways/{JOINING.name}/undrain")
        with contextlib.suppress(LabError):
            rest.call("DELETE", f"/gateways/{JOINING.name}")
