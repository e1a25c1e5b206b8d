"""What the records of a run say. Pure functions; all times are CLOCK_MONOTONIC seconds."""
from __future__ import annotations

import math
from collections import Counter
from typing import Iterable, NamedTuple


class Record(NamedTuple):
    """One line item of penstock-traffic, tests/traffic/recorder.h."""
    kind: str
    target: int
    start: float
    latency_ms: float
    backend: str
    error: str
    flow: int
    sequence: int

    @property
    def end(self) -> float:
        return self.start + self.latency_ms / 1000

    @property
    def new_flow(self) -> bool:
        return self.sequence == 0


def began(records: Iterable[Record], since: float, until: float = math.inf) -> list[Record]:
    return [r for r in records if since <= r.start < until]


def failed(records: Iterable[Record]) -> list[Record]:
    return [r for r in records if r.error]


def shares(records: Iterable[Record]) -> dict[str, float]:
    """Share of the new flows that each backend answered."""
    counts = Counter(r.backend for r in records if r.new_flow and not r.error)
    total = sum(counts.values())
    return {b: n / total for b, n in sorted(counts.items())}


def expected_shares(weights: dict[str, int]) -> dict[str, float]:
    total = sum(weights.values())
    return {b: w / total for b, w in weights.items()}


def largest_share_error(records: Iterable[Record], weights: dict[str, int]) -> float:
    """In percentage points; 100 when nothing was answered."""
    seen = shares(records)
    if not seen:
        return 100.0
    want = expected_shares(weights)
    return max(abs(seen.get(b, 0) - want.get(b, 0)) for b in seen.keys() | want.keys()) * 100


def change_point(records: Iterable[Record], not_before: float, old: dict[str, int], new: dict[str, int]) -> float:
    """The most likely moment at which new flows began to follow the new weights.

    Maximum likelihood over the sequence of answering backends: before the change each answer has the old
    probability of its backend, afterwards the new one. Exact to a few flows when the two differ clearly.
    """
    flows = sorted((r for r in records if r.new_flow and not r.error and r.start >= not_before),
                   key=lambda r: r.start)
    p_old, p_new = expected_shares(old), expected_shares(new)
    floor = 1e-6  # an answer that the weights forbid is very unlikely, not impossible
    gain = 0.0
    best_gain, best_time = 0.0, not_before
    for r in flows:
        gain += math.log(max(p_old.get(r.backend, 0), floor)) - math.log(max(p_new.get(r.backend, 0), floor))
        if gain > best_gain:
            best_gain, best_time = gain, r.start
    return best_time


def last_new_flow(records: Iterable[Record], backend: str, since: float, until: float) -> float | None:
    """Start of the last new flow that a backend answered in a span of time."""
    starts = [r.start for r in began(records, since, until) if r.new_flow and r.backend == backend]
    return max(starts, default=None)


class Outage(NamedTuple):
    seconds: float        # from the event to the start of the last request that failed or waited
    longest_wait: float   # the longest that any answered request of that span took
    longest_gap: float    # the longest time without any answer at all
    failed: int
    reasons: str          # "(17 udp lost, 4 long receive: Connection reset by peer)"


def outage(records: Iterable[Record], event: float, until: float, slow_ms: float = 190) -> Outage:
    """What an event cost: requests begun from shortly before it on that failed or were unusually slow.

    A lost segment costs at least TCP's smallest retransmission time-out of 200 ms, hence the default.
    """
    span = began(records, event - 5, until)
    affected = [r for r in span if r.end > event and (r.error or r.latency_ms > slow_ms)]
    waits = [r.latency_ms / 1000 for r in affected if not r.error]
    answers = sorted(r.end for r in span if not r.error and r.end >= event)
    gaps = [b - a for a, b in zip([event, *answers], [*answers, until])] if answers else [until - event]
    last = max((r.start - event for r in affected), default=0.0)
    reasons = Counter(f"{r.kind} {r.error}" for r in failed(affected))
    text = ", ".join(f"{n} {reason}" for reason, n in reasons.most_common())
    return Outage(max(last, 0.0), max(waits, default=0.0), max(gaps), reasons.total(), f"({text})" if text else "")
