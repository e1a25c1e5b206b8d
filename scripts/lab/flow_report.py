"""What penstock-flows says of its flows (tests/traffic/flows_report.h). Pure functions; times are CLOCK_MONOTONIC."""
from __future__ import annotations

from collections import Counter
from typing import Iterable, NamedTuple

_RETIRED = "retired"  # ended by the client because the scenario asked for it


class Connection(NamedTuple):
    target: int
    backend: str
    broken: str       # empty: whole
    broken_at: float
    gap_ms: float     # the longest wait for an answer since the mark
    gap_began: float
    answered: int
    retransmitted: int

    @property
    def whole(self) -> bool:
        return self.broken in ("", _RETIRED)


class Session(NamedTuple):
    target: int
    backend: str
    sent: int
    answered: int
    lost: int
    moved: int        # answered by another backend than before
    gap_ms: float
    gap_began: float


class Download(NamedTuple):
    target: int
    backend: str
    broken: str
    broken_at: float
    gap_ms: float
    gap_began: float
    bytes: int
    completed: int

    @property
    def whole(self) -> bool:
        return self.broken in ("", _RETIRED)


class Report(NamedTuple):
    tag: str
    at: float
    connections: list[Connection]
    sessions: list[Session]
    downloads: list[Download]


def parse(document: dict) -> Report:
    return Report(document["report"], document["at"], [Connection(*row) for row in document["connections"]],
                  [Session(*row) for row in document["sessions"]], [Download(*row) for row in document["downloads"]])


def percentile(values: Iterable[float], percent: float) -> float:
    """Nearest rank; 0 of nothing."""
    ordered = sorted(values)
    if not ordered:
        return 0.0
    rank = max(1, -(-len(ordered) * percent // 100))  # rounded up
    return ordered[int(rank) - 1]


def gaps_ms(report: Report) -> list[float]:
    """Of the connections that are whole: how long a broken one waited says nothing about an outage."""
    return [c.gap_ms for c in report.connections if c.whole]


def broken(report: Report, spared: frozenset[str] = frozenset()) -> list[Connection | Download]:
    """Connections and downloads that broke, but those of backends that may lose theirs."""
    return [f for f in [*report.connections, *report.downloads] if not f.whole and f.backend not in spared]


def reasons(flows: Iterable[Connection | Download]) -> str:
    """'12 reset, 3 closed'"""
    return ", ".join(f"{n} {reason}" for reason, n in Counter(f.broken for f in flows).most_common())


def packets_lost(report: Report) -> int:
    """Datagrams without an answer, and segments that the clients had to send again."""
    return sum(s.lost for s in report.sessions) + sum(c.retransmitted for c in report.connections)


def shares(report: Report) -> dict[str, int]:
    """Open connections of each backend."""
    return dict(sorted(Counter(c.backend for c in report.connections if not c.broken).items()))


def last_disturbance(report: Report, event: float, longer_than_ms: float) -> float:
    """Seconds from an event to the end of the last gap of a connection that was longer than usual; 0 without one."""
    ends = [c.gap_began + c.gap_ms / 1000 for c in report.connections if c.whole and c.gap_ms > longer_than_ms]
    return max((end - event for end in ends if end > event), default=0.0)
