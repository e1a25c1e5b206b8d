"""A run of the health scenarios: services of its own over penstock-work, and how new flows do when something happens."""
from __future__ import annotations

import contextlib
import signal
import time
from collections import Counter
from typing import Any, Callable, Sequence

from . import analysis, extra_services, flow_report, network, processes, rest
from .analysis import Record
from .client import Client
from .fault_run import Scale
from .run import Run
from .system import LabError, wait_until
from .topology import BACKENDS, VIP4, Host
from .work_servers import WorkServers

PORT = 8081


class HealthRun(Run):
    def __init__(self, suite: str, scale: Scale, *, on_event: Callable[[str], None], hosts: Sequence[Host] = BACKENDS):
        super().__init__(suite, on_event=on_event)
        self.scale = scale
        self.hosts = hosts
        self.servers = WorkServers(hosts)
        self._services: list[str] = []
        self._cut: list[Host] = []

    def serve(self, name: str = "work", port: int = PORT, *, slots: int = 8, service_ms: float = 1,
              health: dict[str, Any] | None = None) -> None:
        """A service of the lab's VIP over servers on all backends, with equal weights."""
        self.servers.start(port, slots=slots, service_ms=service_ms)
        document = extra_services.service(name, VIP4, "tcp", port, "gue", 4, health=health or {})
        rest.call("PUT", f"/services/{name}", document)
        self._services.append(name)
        processes.wait_for_generation()

    def change_health(self, name: str, health: dict[str, Any]) -> None:
        rest.call("PATCH", f"/services/{name}", {"health": health})
        processes.wait_for_generation()

    def drive(self, rate: float, *, ports: tuple[int, ...] = (PORT,), long_lived: int = 0, timeout_ms: int = 1500,
              more: Sequence[str] = ()) -> None:
        """New connections at this rate, all ports together, from now on; each backend is in use when it returns."""
        self.client = Client(http_rate=rate, udp_rate=0, long_lived=long_lived, udp=(),
                             http=[f"{VIP4}:{port}" for port in ports],
                             more=["--http-timeout-ms", str(timeout_ms), "--large-every", "0", *more])
        self.client.start()
        wait_until("every backend to answer and be found alive", self._in_use, 15, logs=["client"])
        began = self.client.began
        self.forgiven.append((began, time.monotonic()))
        self.go_on(2)

    def _in_use(self) -> bool:
        seen = {r.backend for r in self.client.records()[-600:] if not r.error}
        known = all(b.get("liveness", {}).get(g) == "up" for s in self._services
                    for b in rest.call("GET", f"/services/{s}/stats")["backends"] for g in b.get("liveness", {"": ""}))
        return known and {h.name for h in self.hosts} <= seen

    # --- what happens ---------------------------------------------------------------------------------------

    def fault(self, text: str) -> float:
        """Notes the moment. Call right before it."""
        moment = time.monotonic()
        self.event(text)
        return moment

    def cut(self, h: Host) -> None:
        self._cut.append(h)
        network.cut(h)

    def mend(self, h: Host) -> None:
        network.mend(h)
        self._cut.remove(h)

    # --- what it cost ---------------------------------------------------------------------------------------

    def avoided(self, since: float, limit_seconds: float, slow_ms: float = 190) -> None:
        """Adds for how long new flows still met what happened at `since`, and how often."""
        records = [r for r in self.client.records() if r.new_flow]
        cost = analysis.outage(records, since, time.monotonic() - 1.6, slow_ms)
        self.figures.add("avoided", cost.seconds, "s until the last new flow that failed or waited began",
                         at_most=limit_seconds * self.scale.slack)
        window = analysis.began(records, since, since + cost.seconds + 1e-9)
        failures = Counter(r.flow for r in analysis.failed(window))
        self.figures.add("failed", failures.total(), f"of {len(window)} requests until then {cost.reasons}".rstrip())
        self.figures.add("failed_per_attempt", max(failures.values(), default=0), "requests", at_most=1)
        self.forgiven.append((since - 1.6, since + max(limit_seconds * self.scale.slack, 0.3)))

    def new_flows(self, backend: str, since: float, until: float) -> list[Record]:
        return [r for r in analysis.began(self.client.records(), since, until) if r.new_flow and r.backend == backend]

    def percentile_ms(self, since: float, until: float, percent: float) -> float:
        """Of all requests begun then; one without an answer counts as long as it waited."""
        waits = [r.latency_ms for r in analysis.began(self.client.records(), since, until)]
        return flow_report.percentile(waits, percent)

    def back(self, backend: str, since: float, limit_seconds: float = 20) -> float:
        """Waits for a new flow on the backend; returns when the first one began."""
        found: list[Record] = []

        def seen() -> bool:
            found[:] = [r for r in self.new_flows(backend, since, float("inf")) if not r.error]
            return bool(found)

        wait_until(f"new flows on {backend}", seen, limit_seconds)
        return min(r.start for r in found)

    # --- the end --------------------------------------------------------------------------------------------

    def restore(self) -> None:
        self.client.kill()
        for h in list(self._cut):
            self.mend(h)
        network.find_probes()
        processes.start_missing()
        for name in self._services:
            with contextlib.suppress(LabError, OSError):
                rest.call("DELETE", f"/services/{name}")
        self.servers.stop_all()
        super().restore()
