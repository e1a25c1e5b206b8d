"""Single scenarios against a lab that is up. Each restores what it changed, so that they run in any order."""
from __future__ import annotations

import os
import signal
import time
from typing import Callable

from . import (faults_backends, faults_gateways, faults_health, faults_routing, faults_sync, lifecycle, load_scenarios,
               packets, processes, rest, topology)
from .fault_run import FULL, QUICK, FaultRun
from .health_run import HealthRun
from .load_run import LoadRun
from .rest import Refused
from .run import Run
from .system import LabError, pid_of, say

# At 320 new flows a second the shares' standard error is about 1 percentage point, a fifth of the tolerance.
_OBSERVED_SECONDS = 6


def steady(run: Run) -> None:
    """Weights 1:2:3 give shares 1:2:3, over both gateways, without a failure."""
    run.observe_shares("steady 1:2:3", _OBSERVED_SECONDS)
    run.count_gateways()


def weight(run: Run) -> None:
    """A weight changed by REST shows in the answers, and breaks nothing."""
    run.observe_shares("steady 1:2:3", _OBSERVED_SECONDS)
    run.change_weight("be1", 6, _OBSERVED_SECONDS)


def drain(run: Run) -> None:
    """A drained backend keeps its connections, gets none anew, can be restarted and comes back."""
    run.go_on(2)
    run.drain("be2", _OBSERVED_SECONDS)
    run.restart_drained(topology.host("be2"))


def gateway_death(run: Run) -> None:
    """A gateway killed with SIGKILL costs less than two seconds."""
    run.go_on(2)
    run.count_gateways()
    run.kill_gateway(topology.GATEWAYS[0], 4)


def bad_config(run: Run) -> None:
    """Refused writes name the field, and neither the configuration nor the traffic notices."""
    run.go_on(1)
    before = rest.call("GET", "/services/web4")
    generation = rest.call("GET", "/status")["generation"]
    wrong: list[tuple[str, str, str, object]] = [
        ("a weight out of range", "PATCH", "/services/web4/backends/be1", {"weight": 100000}),
        ("an unknown field", "PATCH", "/services/web4", {"colour": "red"}),
        ("a VIP that is no address", "PUT", "/services/bad", {**before, "id": "bad", "vip": "203.0.113"}),
        ("no backends", "PUT", "/services/bad", {**before, "id": "bad", "port": 81, "backends": []}),
        ("a VIP and port already taken", "PUT", "/services/bad", {**before, "id": "bad"}),
        ("no port", "PUT", "/services/bad", {k: v for k, v in {**before, "id": "bad"}.items() if k != "port"}),
    ]
    refused = 0
    for what, method, path, body in wrong:
        try:
            rest.call(method, path, body)
            run.event(f"ACCEPTED: {what}")
        except Refused as e:
            refused += 400 <= e.status < 500 and bool(e.problem.get("errors") or e.problem.get("detail"))
            run.event(f"refused {what}: {e}")
    run.figures.add("refused", refused, f"of {len(wrong)} wrong writes", at_least=len(wrong))
    same = rest.call("GET", "/services/web4") == before and rest.call("GET", "/status")["generation"] == generation
    run.figures.add("unchanged", int(same), "state", at_least=1)
    run.observe_shares("steady 1:2:3", _OBSERVED_SECONDS)


def controlplane_death(run: Run) -> None:
    """Without the control plane everything goes on; when it is back, writes work again."""
    run.go_on(1)
    os.kill(pid_of("controlplane"), signal.SIGKILL)
    run.event("SIGKILL to the control plane")
    run.observe_shares("without control plane", _OBSERVED_SECONDS)
    processes.start_controlplane()
    called = time.monotonic()
    processes.wait_for_sessions()
    processes.wait_for_generation()  # what a new session is told first is not the change that is timed
    run.event(f"control plane back, all sessions after {time.monotonic() - called:.1f} s")
    run.change_weight("be1", 6, _OBSERVED_SECONDS)


def agent_restart(run: Run) -> None:
    """Gateway agents and nodes restart while traffic flows, and nothing breaks."""
    run.go_on(1)
    for g in topology.GATEWAYS:
        os.kill(pid_of(f"{g.name}-gateway"), signal.SIGKILL)
        run.event(f"SIGKILL to penstock-gateway of {g.name}")
        run.go_on(1)
        processes.start_gateway_agent(g)
    for b in topology.BACKENDS:
        os.kill(pid_of(f"{b.name}-node"), signal.SIGKILL)
        run.event(f"SIGKILL to penstock-node of {b.name}")
        run.go_on(1)
        processes.start_node(b)
    processes.wait_for_sessions()
    run.observe_shares("agents restarted", _OBSERVED_SECONDS)


SCENARIOS: dict[str, Callable[[Run], None]] = {
    "steady": steady, "weight": weight, "drain": drain, "gateway-death": gateway_death, "bad-config": bad_config,
    "controlplane-death": controlplane_death, "agent-restart": agent_restart,
    "ping": packets.ping, "nat": packets.nat, "path-mtu": packets.path_mtu, "dns": packets.dns, "quic": packets.quic,
}


# Each holds thousands of flows through a fault.
FAULTS: dict[str, Callable[[FaultRun], None]] = {
    "weight-churn": faults_backends.weight_churn, "backend-churn": faults_backends.backend_churn,
    "gateway-crash": faults_gateways.gateway_crash, "dataplane-crash": faults_gateways.dataplane_crash,
    "gateway-killed": faults_gateways.gateway_killed,
    "dataplane-upgrade": faults_gateways.dataplane_upgrade, "gateway-join": faults_gateways.gateway_join,
    "control-down": faults_backends.control_down, "backend-crash": faults_backends.backend_crash,
    "nat-rehash": faults_sync.nat_rehash, "replication-hostile": faults_sync.replication_hostile,
    "drain-deadline": faults_backends.drain_deadline, "routing-frr": faults_routing.routing_frr,
    "routing-bird": faults_routing.routing_bird, "routing-gobgp": faults_routing.routing_gobgp,
}


# Each serves by penstock-work, and looks at what new connections meet.
HEALTH: dict[str, Callable[[HealthRun], None]] = {
    "process-exit": faults_health.process_exit, "process-hang": faults_health.process_hang,
    "host-down": faults_health.host_down, "slow-backend": faults_health.slow_backend,
    "flapping": faults_health.flapping, "all-down": faults_health.all_down, "agent-lost": faults_health.agent_lost,
    "recovery": faults_health.recovery, "forged-probes": faults_health.forged_probes,
}


# Likewise, with requests that cost processor time, over six backends.
LOAD: dict[str, Callable[[LoadRun], None]] = {
    "load-aware": load_scenarios.load_aware, "load-step": load_scenarios.load_step,
    "weights-fail-static": load_scenarios.weights_fail_static,
}


def play(name: str, json_path: str | None, *, quick: bool = False) -> int:
    every = {**SCENARIOS, **FAULTS, **HEALTH, **LOAD}
    if name == "list":
        for key, scenario in every.items():
            say(f"{key:20} {scenario.__doc__}")
        return 0
    if name not in every:
        raise LabError(f"no scenario '{name}'; there are {', '.join(every)}", 64)
    lifecycle.require_up()
    scale = QUICK if quick else FULL
    serves_first = name in HEALTH or name in LOAD  # and drives its own traffic then
    if name in LOAD:
        run = LoadRun(name, scale, on_event=say)
    elif name in HEALTH:
        run = HealthRun(name, scale, on_event=say)
    elif name in FAULTS:
        run = FaultRun(name, scale, on_event=say)
    else:
        run = Run(name, on_event=say)
    try:
        if not serves_first:
            run.start()
        every[name](run)
        run.finish()
    finally:
        run.restore()
    say(run.figures.table())
    if json_path:
        run.figures.write(json_path)
    return 0 if run.figures.all_passed else 1
