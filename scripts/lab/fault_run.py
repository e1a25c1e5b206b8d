"""A run whose flows must not break: what the fault scenarios share.

Beside the demo's traffic (new connections and short UDP flows, whose records tell how long new ones fail) it holds
thousands of long-lived flows. A scenario does its calm() first: what gaps the machine makes without a fault.
"""
from __future__ import annotations

import os
import signal
import time
from collections import Counter
from typing import Callable, NamedTuple

from . import analysis, backends, flow_report, network, processes, rest, routing
from .analysis import Record
from .client import Client
from .flow_report import Report
from .flows import Flows
from .run import Run
from .system import LabError, kill_namespace, pid_of, wait_until
from .topology import GATEWAYS, VIP4, VIP6, Host

# A gap of "none": no longer than one retransmission beyond the gaps of the calm phase.
_NONE_MS = 50


class Scale(NamedTuple):
    """How large a scenario runs. CI has minutes, not hours, and is no place to judge milliseconds."""
    connections: int
    sessions: int
    downloads: int
    time: float  # what the long phases of a scenario are multiplied with
    slack: float  # what limits of time are multiplied with


FULL = Scale(5000, 200, 20, 1.0, 1.0)
QUICK = Scale(600, 60, 10, 0.15, 5.0)
# Datagrams that a queue of this crowded machine may drop while nothing is wrong.
_STRAY_LOSSES = 1 / 1000


class Targets(NamedTuple):
    tcp: list[str]
    udp: list[str]
    downloads: list[str]


# GUE over IPv4 and IPv6 with second chance; UDP and half of the downloads over IPIP, which only replication saves.
USUAL = Targets([f"{VIP4}:7", f"[{VIP6}]:7"], [f"{VIP4}:7", f"[{VIP6}]:7"], [f"{VIP4}:80", f"[{VIP6}]:80"])


class FaultRun(Run):
    def __init__(self, suite: str, scale: Scale, *, on_event: Callable[[str], None]):
        super().__init__(suite, on_event=on_event, client=Client(http_rate=100, udp_rate=20, long_lived=8))
        self.scale = scale
        self.flows: Flows | None = None
        self.calm_gap_ms = 0.0
        self.spared: frozenset[str] = frozenset()  # backends that may lose their flows
        self.fault_at: float | None = None
        self._dead_backends: list[Host] = []

    # --- steps ----------------------------------------------------------------------------------------------

    def hold(self, targets: Targets = USUAL) -> None:
        """Opens the flows and learns how they do without a fault."""
        self.flows = Flows(tcp=targets.tcp, udp=targets.udp, downloads=targets.downloads,
                           connections=self.scale.connections, sessions=self.scale.sessions,
                           download_count=self.scale.downloads)
        began = time.monotonic()
        opened = self.flows.start()
        whole = sum(1 for c in opened.connections if not c.broken)
        self.event(f"{whole} connections open after {time.monotonic() - began:.1f} s: {flow_report.shares(opened)}")
        self.figures.add("connections", whole, "held", at_least=self.scale.connections)
        self.calm()

    def calm(self, seconds: float = 5) -> None:
        self.flows.mark()
        before = self.forwarded_by_gateway()
        self.go_on(seconds)
        report = self.flows.report()
        after = self.forwarded_by_gateway()
        packets = {g.name: after[g.name] - before[g.name] for g in GATEWAYS}
        self.figures.add("lesser_gateway", 100 * min(packets.values()) / max(1, sum(packets.values())),
                         "% of the packets before the fault", at_least=25)
        gaps = flow_report.gaps_ms(report)
        self.calm_gap_ms = max(gaps, default=0.0)
        self.event(f"calm: gaps p50 {flow_report.percentile(gaps, 50):.1f} ms, p99 "
                   f"{flow_report.percentile(gaps, 99):.1f} ms, max {self.calm_gap_ms:.1f} ms, "
                   f"{flow_report.packets_lost(report)} packets lost, {len(flow_report.broken(report))} broken")
        self.flows.mark()

    def fault(self, text: str) -> float:
        """Notes the moment of the fault. Call right before it."""
        self.fault_at = time.monotonic()
        if text:
            self.event(text)
        return self.fault_at

    def go_on(self, seconds: float) -> float:
        if self.flows:
            self.flows.require_alive()
        return super().go_on(seconds)

    def look(self, phase: str) -> Report:
        """Says how the flows do, in the middle of a scenario."""
        report = self.flows.report()
        lost = flow_report.broken(report, self.spared)
        self.event(f"{phase}: {len(lost)} broken {flow_report.reasons(lost)}".rstrip() +
                   f", longest gap {max(flow_report.gaps_ms(report), default=0):.0f} ms, "
                   f"{flow_report.packets_lost(report)} packets lost")
        return report

    def kill_gateway_at_once(self, g: Host) -> None:
        """SIGKILL to dataplane, agent and routing daemons, and silence, see network.silence()."""
        network.silence(g)
        count = len(kill_namespace(g.namespace, signal.SIGKILL))
        self._dead.append(g)
        self.event(f"SIGKILL to {count} processes of {g.name}, host silent")

    def revive_gateway(self, g: Host) -> None:
        processes.revive_gateway(g)
        self._dead.remove(g)

    def crash_dataplane(self, g: Host) -> None:
        """SIGKILL to a dataplane; a supervisor starts it again at once. Waits until the gateway is announced again."""
        processes.dataplane_command(g)  # asks the binary for its flags: not while nothing forwards
        killed = time.monotonic()
        os.kill(pid_of(f"{g.name}-dataplane"), signal.SIGKILL)
        self.forgiven.append((killed - 0.5, killed + 1.0))
        processes.restart_dataplane(g)
        try:
            withdrawn = wait_until(f"{g.name} to be withdrawn", lambda: any(g.name not in network.gateway_next_hops(
                vip) for vip in (VIP4, VIP6)), 1, interval=0.01)
        except LabError:
            self.event(f"{g.name} was back before its routes were withdrawn")
        else:
            self.event(f"the router dropped {g.name} {withdrawn:.2f} s after its dataplane was started again")
        self.wait_in_ecmp(g)
        back = time.monotonic() - killed
        self.event(f"SIGKILL to the dataplane of {g.name}: announced again after {back:.2f} s")
        self.figures.add("back", back, "s until announced again", at_most=10)

    def kill_backend(self, b: Host) -> None:
        """SIGKILL to all that runs on a backend; its kernel, and XDP with it, goes on."""
        self.spared |= {b.name}
        self._dead_backends.append(b)
        count = len(kill_namespace(b.namespace, signal.SIGKILL))
        self.event(f"SIGKILL to {count} processes of {b.name}")

    def revive_backends(self) -> None:
        for b in self._dead_backends:
            backends.start_services(b)
            processes.start_node(b)
        self._dead_backends.clear()
        backends.wait_for_services()

    def wait_in_ecmp(self, g: Host) -> None:
        """Until the router spreads both VIPs over this gateway, too."""
        for vip in (VIP4, VIP6):
            wait_until(f"a route at the router to {vip} over {g.name}", lambda vip=vip: g.name in
                       network.gateway_next_hops(vip), 30, logs=[f"{g.name}-gateway", f"{g.name}-dataplane"])

    def outage_of_new(self, limit_seconds: float) -> None:
        """Adds how long new connections failed, or waited for a retransmission, after the fault."""
        cost = analysis.outage([r for r in self.client.records() if r.new_flow], self.fault_at,
                               time.monotonic() - 1.5)
        self.figures.add("new_connections_outage", cost.seconds, "s", at_most=limit_seconds * self.scale.slack)
        self.figures.add("new_connections_failed", cost.failed, f"requests {cost.reasons}".rstrip())
        # Flows that were open may fail a little longer than new ones.
        self.forgiven.append((self.fault_at - 0.5, self.fault_at + max(limit_seconds, 1.0)))

    # --- the end --------------------------------------------------------------------------------------------

    def stray(self, outside: list[Record], total: int) -> int:
        """Single datagrams only: a connection that fails is never one."""
        lost = sum(1 for r in outside if r.kind == "udp")
        return min(lost, int(total * _STRAY_LOSSES))

    def conclude(self, *, gap_ms: float | None = None, gaps_of: Report | None = None) -> Report:
        """Ends the flows and adds their figures.

        gap_ms: the longest that is allowed; None: none beyond calm ones. gaps_of: an earlier report with the gaps of
        the fault itself, when the scenario went on to undo it.
        """
        report = self.flows.stop()
        self._broken_figures(report)
        self._gap_figures(gaps_of or report, gap_ms)
        sent = sum(s.sent for s in report.sessions)
        self.figures.add("udp_lost", sum(s.lost for s in report.sessions), f"of {sent} datagrams")
        self.figures.add("udp_moved", sum(s.moved for s in report.sessions if s.backend not in self.spared),
                         "datagrams to another backend", at_most=0)
        self.figures.add("tcp_retransmitted", sum(c.retransmitted for c in report.connections), "segments")
        self.figures.add("packets_lost", flow_report.packets_lost(report), "datagrams and segments")
        self.figures.add("downloaded", sum(d.bytes for d in report.downloads) / 1e6, "MB, every byte compared")
        return report

    def _broken_figures(self, report: Report) -> None:
        lost = flow_report.broken(report, self.spared)
        self.figures.add("broken", len(lost), "connections and downloads", at_most=0)
        self.figures.add("resets", sum(1 for f in lost if f.broken == "reset"), "of them")
        if lost:
            self.event(f"broken: {flow_report.reasons(lost)}; of {dict(Counter(f.backend for f in lost))}")
        for f in sorted(lost, key=lambda f: f.broken_at)[:5]:
            self.event(f"broken at {f.broken_at - self.client.began:.2f} s: {type(f).__name__} to target {f.target} "
                       f"on {f.backend or 'nobody'}: {f.broken}")
        if self.spared:
            theirs = [f for f in flow_report.broken(report) if f.backend in self.spared]
            self.figures.add("broken_of_the_dead", len(theirs), "connections and downloads")

    def _gap_figures(self, report: Report, limit_ms: float | None) -> None:
        gaps = flow_report.gaps_ms(report)
        longest = max(gaps, default=0.0)
        self.figures.add("gap_calm_max", self.calm_gap_ms, "ms, before the fault")
        self.figures.add("gap_p50", flow_report.percentile(gaps, 50), "ms")
        self.figures.add("gap_p99", flow_report.percentile(gaps, 99), "ms")
        slack = self.scale.slack
        self.figures.add("gap_max", longest, "ms", at_most=limit_ms * slack if limit_ms is not None else None)
        if limit_ms is None:
            self.figures.add("gap_beyond_calm", max(0.0, longest - self.calm_gap_ms), "ms", at_most=_NONE_MS * slack)
        usual = max(self.calm_gap_ms, _NONE_MS)
        unusual = sorted((c for c in report.connections if c.whole and c.gap_ms > usual), key=lambda c: -c.gap_ms)
        if unusual:
            self.event(f"{len(unusual)} connections waited longer than {usual:.0f} ms, the longest: " + "; ".join(
                f"{c.gap_ms:.0f} ms from {c.gap_began - self.client.began:.2f} s to target {c.target} on {c.backend}"
                for c in unusual[:3]))
        if self.fault_at is not None:
            self.figures.add("full_service", flow_report.last_disturbance(report, self.fault_at, usual),
                             "s from the fault to the last end of an unusual gap")

    def restore(self) -> None:
        if self.flows:
            self.flows.kill()
        self.revive_backends()
        super().restore()
        for g in GATEWAYS:  # of a scenario that ended half-way
            rest.call("PUT", f"/gateways/{g.name}", {"id": g.name, "announce": True})
        routing.wait_for_ecmp(GATEWAYS)
