"""A run of the load scenarios: six backends with unequal CPU quotas, and requests that cost processor time.

Four of the six are never equal in what they may use, and all of them together are less than a CPU: clients, gateways
and the router need the rest of a machine of two. A node's utilisation is its cgroup's, against its quota.
"""
from __future__ import annotations

import os
import signal
import time
from typing import Callable

from . import cgroups, extra_services, processes, rest
from .client import Client
from .fault_run import Scale
from .health_run import HealthRun
from .system import LabError, ended, pid_of, spawn, stop, wait_until
from .topology import BACKENDS, JOINING_BACKENDS, VIP4, Host
from .weight_watch import WeightWatch

HOSTS = [*BACKENDS, *JOINING_BACKENDS]
# Percent of one CPU.
QUOTA = {"be1": 6, "be2": 8, "be3": 10, "be4": 12, "be5": 12, "be6": 16}
# Who shares the host with somebody else's work, which takes this part of the quota.
SHARED = next(h for h in HOSTS if h.name == "be5")
_NEIGHBOUR = 0.5

SERVICE, PORT = "load", 8091
# Short, so that a second has enough of them for shares to be even; what accepting one costs comes on top.
_CPU_US = 500
# An overloaded backend answers late: that is what is looked at, and no failure.
_TIMEOUT_MS = 30_000


class LoadRun(HealthRun):
    def __init__(self, suite: str, scale: Scale, *, on_event: Callable[[str], None]):
        super().__init__(suite, scale, on_event=on_event, hosts=HOSTS)
        self.watch = WeightWatch(SERVICE)
        self._restarted: list[Host] = []

    # --- steps ----------------------------------------------------------------------------------------------

    def begin(self, policy: str) -> None:
        """Nodes that measure, servers with quotas and the service. Its weights are right for the quotas."""
        self.client.began = time.monotonic()  # of events before there is a client
        for h in HOSTS:
            cgroups.create(h.name, QUOTA[h.name] / 100)
        for h in HOSTS:
            self._start_node(h)
        processes.wait_for_sessions_of_nodes(HOSTS)
        self.servers.start(PORT, slots=1, service_ms=0, cpu_us=_CPU_US)
        for h in HOSTS:
            cgroups.put(h.name, cgroups.SERVICE, self.servers.pid(h, PORT))
        # The fast loop is off, as in all of the lab that shares are judged in: the weights alone are looked at. A flow
        # table keeps what is closed for half a minute unless it is told otherwise, and for the weight loop that would
        # be how long flows last.
        document = extra_services.service(
            SERVICE, VIP4, "tcp", PORT, "gue", 4, hosts=HOSTS, policy=policy, idle_timeouts={"tcp_closing_seconds": 1},
            health={"hot": {"enabled": False}, "breaker": {"enabled": False}})
        for b in document["backends"]:
            b["weight"] = QUOTA[b["id"]]
        rest.call("PUT", f"/services/{SERVICE}", document)
        self._services.append(SERVICE)
        processes.wait_for_generation()
        processes.wait_for_nodes({VIP4})
        self.watch.start()

    def _start_node(self, h: Host) -> None:
        """The lab's own agents measure no cgroup: they give way, and successors take the hosts over as they are."""
        if pid_of(f"{h.name}-node") is not None:
            self._restarted.append(h)
            _kill_node(h)
        processes.start_node(h, ["--label", "cpu=cgroup", "--service-cgroup", f"{SERVICE}={cgroups.path(h.name)}"])

    def policy(self, name: str) -> float:
        self.event(f"policy {name}")
        called = time.monotonic()
        rest.call("PATCH", f"/services/{SERVICE}", {"policy": name})
        processes.wait_for_generation()
        return called

    def rate_for(self, utilisation: float) -> float:
        """New connections a second that make the six, with the neighbour, as busy as that if they share well."""
        probe = Client(http_rate=100, udp_rate=0, long_lived=0, udp=(), http=[f"{VIP4}:{PORT}"],
                       more=["--http-timeout-ms", str(_TIMEOUT_MS), "--large-every", "0"])
        before = self.used(cgroups.SERVICE)
        probe.start()
        time.sleep(3)
        answered = sum(1 for r in probe.stop() if not r.error)
        if answered < 100:
            raise LabError(f"{answered} requests answered in 3 s: the service does not work")
        cost = sum(self.used(cgroups.SERVICE)[h.name] - before[h.name] for h in HOSTS) / answered
        free = utilisation * sum(QUOTA.values()) - _NEIGHBOUR * QUOTA[SHARED.name]
        rate = free / 100 / cost
        self.event(f"a request costs {1e6 * cost:.0f} µs of CPU: {rate:.0f} a second make {100 * utilisation:.0f} %")
        return rate

    def go(self, rate: float, *, long_lived: int = 0) -> None:
        self.drive(rate, ports=(PORT,), long_lived=long_lived, timeout_ms=_TIMEOUT_MS,
                   more=["--long-lived-interval-ms", "2000"])

    def neighbour_starts(self) -> float:
        """Somebody else's work on the shared host, as much of it as there may be. Returns when it began."""
        cgroups.limit(SHARED.name, _NEIGHBOUR * QUOTA[SHARED.name] / 100, cgroups.NEIGHBOUR)
        since = self.fault(f"a neighbour takes {100 * _NEIGHBOUR:.0f} % of what {SHARED.name} may use")
        cgroups.put(SHARED.name, cgroups.NEIGHBOUR,
                    spawn(_NAME, ["/bin/sh", "-c", "while :; do :; done"], ns=SHARED.namespace))
        return since

    def neighbour_ends(self) -> float:
        since = self.fault("the neighbour ends")
        stop(_NAME)
        return since

    def lose_control_plane(self) -> None:
        self.fault("SIGKILL to the control plane")
        os.kill(pid_of("controlplane"), signal.SIGKILL)
        wait_until("the control plane to end", lambda: pid_of("controlplane") is None, 5)

    def control_plane_comes_back(self) -> None:
        processes.start_controlplane()
        processes.wait_for_sessions_of_gateways()
        processes.wait_for_sessions_of_nodes(HOSTS)
        self.event("the control plane is back, all are connected")
        self.watch = WeightWatch(SERVICE)
        self.watch.start()

    def stop_agent(self, h: Host) -> None:
        self.fault(f"SIGKILL to the agent of {h.name}")
        _kill_node(h)

    def start_agent(self, h: Host) -> None:
        self._start_node(h)
        self.event(f"the agent of {h.name} is started again")

    def override(self, backend: str, weight: int | None) -> float:
        """An operator's weight, or none any more. Returns when that was said."""
        called = self.fault(f"weight override of {backend}: {weight}")
        rest.call("PATCH", f"/services/{SERVICE}/backends/{backend}", {"weight_override": weight})
        return called

    def wait_for_state(self, backend: str, state: str, seconds: float) -> float:
        def reached() -> bool:
            self.client.require_alive()
            document = rest.call("GET", f"/services/{SERVICE}/weights:explain")
            return any(b["id"] == backend and b.get("state") == state for b in document["backends"])

        return wait_until(f"the weight of {backend} to be {state}", reached, seconds, logs=["controlplane"])

    def weights_of(self, backend: str, seconds: float) -> list[int]:
        """That the dataplanes use meanwhile."""
        began = self.go_on(seconds)
        return [s.weights[backend] for s in self.watch.samples(began)]

    # --- what is measured -----------------------------------------------------------------------------------

    def used(self, part: str = "") -> dict[str, float]:
        return {h.name: cgroups.used_seconds(h.name, part) for h in HOSTS}

    def utilisation(self, seconds: float) -> dict[str, float]:
        """Of each backend while traffic goes on for so long, in percent of its quota, by the kernel's own account."""
        began, before = time.monotonic(), self.used()
        self.go_on(seconds)
        span, after = time.monotonic() - began, self.used()
        return {n: 100 * (after[n] - before[n]) / span / (QUOTA[n] / 100) for n in QUOTA}

    def explain(self) -> dict:
        """Says why the weights are what they are, one line for each backend."""
        document = rest.call("GET", f"/services/{SERVICE}/weights:explain")
        law, solver = document.get("law", {}), document.get("solver", {})
        self.event(f"policy {document['policy']}: demand {_short(document.get('new_flows_per_second'))}/s, delay "
                   f"{_short(law.get('delay_seconds'))} s, gain {_short(law.get('gain'))} of "
                   f"{_short(law.get('gain_bound'))}, solver gap {_short(solver.get('gap'))}, "
                   f"feasible {solver.get('feasible')}")
        for b in document["backends"]:
            use = ", ".join(f"{k} {_short(v)}" for k, v in b.get("utilization", {}).items())
            cost = ", ".join(f"{k} {v:.2g}" for k, v in b.get("cost", {}).items())
            self.event(f"  {b['id']}: weight {b['weight']}, share {_short(b.get('measured_share'))} -> "
                       f"{_short(b.get('target_share'))}, {use or 'not measured'} -> "
                       f"{_short(b.get('predicted_utilization'))}, {b.get('state')}, {b.get('binding')}, "
                       f"confidence {_short(b.get('cost_confidence'))}, per flow/s: {cost or 'unknown'}, "
                       f"age {_short(b.get('telemetry_age_seconds'))} s")
        return document

    # --- the end --------------------------------------------------------------------------------------------

    def restore(self) -> None:
        self.watch.stop()
        stop(_NAME)
        for h in JOINING_BACKENDS:
            stop(f"{h.name}-node")
        for h in self._restarted:
            _kill_node(h)
        super().restore()  # starts what is missing of the lab's own
        cgroups.remove()


_NAME = f"{SHARED.name}-neighbour"


def _kill_node(h: Host) -> None:
    pid = pid_of(f"{h.name}-node")
    if pid is None:
        return
    os.kill(pid, signal.SIGKILL)
    wait_until(f"the agent of {h.name} to end", lambda: ended(pid), 5, interval=0.01)


def _short(value: float | None) -> str:
    return "?" if value is None else f"{value:.3g}"
