"""The live view of a run: a table that redraws itself on a terminal, plain lines elsewhere."""
from __future__ import annotations

import sys
import time
from collections import Counter

from . import analysis
from .run import Run
from .system import LabError
from .topology import BACKENDS, GATEWAYS

_EVENTS_SHOWN = 8
_WINDOW_SECONDS = 3.0


class LiveView:
    """Give event() and tick() to a Run. Shares are those of the new flows of the last seconds."""

    def __init__(self) -> None:
        self._tty = sys.stdout.isatty()
        self._period = 0.5 if self._tty else 2.0
        self._next = 0.0
        self._drawn = 0
        self._events: list[str] = []
        self._seen = 0
        self._count = Counter()
        self._recent: list[analysis.Record] = []
        self._forwarded: dict[str, int] = {}

    def event(self, text: str) -> None:
        self._events.append(text)
        if not self._tty:
            print(text, flush=True)

    def tick(self, run: Run) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + self._period
        fresh = run.client.records(self._seen)
        self._seen += len(fresh)
        for r in fresh:
            self._count[r.kind, bool(r.error)] += 1
        self._recent = [r for r in self._recent + fresh if r.start > now - _WINDOW_SECONDS]
        lines = self._table(run, now) if self._tty else [self._line(run, now)]
        if self._tty:
            self._erase()
        print("\n".join(lines), flush=True)
        self._drawn = len(lines)

    def _table(self, run: Run, now: float) -> list[str]:
        shares = analysis.shares(self._recent)
        gateways = self._gateway_shares(run)
        lines = [f"Penstock  {now - run.client.began:5.1f} s  {run.phase}",
                 f"requests {self._total():8}   failed {self._failed():5}   "
                 f"{len(self._recent) / _WINDOW_SECONDS:6.0f}/s",
                 "", "backend  weight   share"]
        for b in BACKENDS:
            share = shares.get(b.name, 0)
            note = " drained" if b.name in run.drained else ""
            lines.append(f"{b.name:8} {run.weights[b.name]:6}  {share:5.1%} {'#' * round(40 * share):40}{note}")
        lines.append("gateway")
        for g in GATEWAYS:
            share = gateways.get(g.name, 0)
            lines.append(f"{g.name:15}  {share:5.1%} {'#' * round(40 * share)}")
        return lines + [""] + self._events[-_EVENTS_SHOWN:]

    def _line(self, run: Run, now: float) -> str:
        shares = analysis.shares(self._recent)
        gateways = self._gateway_shares(run)
        return (f"  {now - run.client.began:5.1f} s {run.phase:24} {self._total():6} requests {self._failed():3} failed"
                "  " + " ".join(f"{b.name} {shares.get(b.name, 0):5.1%}" for b in BACKENDS)
                + " | " + " ".join(f"{g.name} {gateways.get(g.name, 0):4.0%}" for g in GATEWAYS))

    def _gateway_shares(self, run: Run) -> dict[str, float]:
        """Of the packets forwarded since the last look, by the control plane's counters."""
        try:
            totals = run.forwarded_by_gateway()
        except (OSError, LabError, KeyError):
            return {}
        # A restarted dataplane counts from zero again.
        deltas = {g: max(0, n - self._forwarded.get(g, 0)) for g, n in totals.items()}
        self._forwarded = totals
        whole = sum(deltas.values())
        return {g: n / whole for g, n in deltas.items()} if whole else {}

    def _total(self) -> int:
        return sum(self._count.values())

    def _failed(self) -> int:
        return sum(n for (_, wrong), n in self._count.items() if wrong)

    def _erase(self) -> None:
        if self._drawn:
            print(f"\x1b[{self._drawn}A\x1b[J", end="")
