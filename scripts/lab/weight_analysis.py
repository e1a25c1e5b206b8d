"""What samples of weights say. Pure functions; all times are CLOCK_MONOTONIC seconds."""
from __future__ import annotations

import math
import statistics
from typing import NamedTuple, Sequence

_DEADBAND = 0.005  # of the weight law: less is no new weight
_SETTLED = 0.05    # of the final share
_MOST = 0.9        # of the way to it
# Over which shares are taken: three periods of the weight loop, each of which sees a handful of requests.
_SMOOTH_SECONDS = 0.3


class Sample(NamedTuple):
    """The shares that one gateway's weights give each backend, as they became known."""
    at: float
    gateway: str
    shares: dict[str, float]
    weights: dict[str, int] = {}


class Settling(NamedTuple):
    most: float       # seconds from the event until nine tenths of the way were gone
    seconds: float    # until the share stays within 5 % of the final one
    overshoot: float  # how far it went beyond that, relative to it


def mean_shares(samples: Sequence[Sample]) -> dict[str, float]:
    """Of each backend, over samples and gateways; empty of nothing."""
    names = {name for s in samples for name in s.shares}
    return {name: statistics.fmean(s.shares.get(name, 0) for s in samples) for name in sorted(names)}


def convergence(samples: Sequence[Sample], since: float, final: dict[str, float], *, within: float,
                over: float = 2) -> float:
    """Seconds until the last span, of `over` seconds, in which a share was off by more than this part of its final
    one."""
    spans: dict[int, list[Sample]] = {}
    for s in samples:
        if s.at >= since:
            spans.setdefault(int((s.at - since) / over), []).append(s)
    last = -1
    for n, span in spans.items():
        means = mean_shares(span)
        if any(abs(means.get(name, 0) - share) > within * share for name, share in final.items()):
            last = max(last, n)
    return over * (last + 1)


def reaction(calm: Sequence[Sample], after: Sequence[Sample], backend: str, event: float) -> float:
    """Seconds until the last gateway uses a weight that is lower, by more than the deadband, than any of the calm
    before; infinite if one never does."""
    slowest = 0.0
    for gateway in {s.gateway for s in calm}:
        limit = min(s.shares[backend] for s in calm if s.gateway == gateway) * (1 - _DEADBAND)
        below = [s.at for s in after if s.gateway == gateway and s.shares[backend] < limit]
        slowest = max(slowest, min(below, default=math.inf) - event)
    return slowest


def settling(samples: Sequence[Sample], backend: str, event: float, before: float, final: float) -> Settling:
    """before, final: the backend's share in calm. samples: since the event, in the order of their times."""
    settled, beyond, most, first = event, 0.0, math.inf, 0
    for i, sample in enumerate(samples):
        while samples[first].at <= sample.at - _SMOOTH_SECONDS:
            first += 1
        share = statistics.fmean(s.shares[backend] for s in samples[first:i + 1])
        off = share / final - 1
        if (before - share) * (before - final) >= _MOST * (before - final) ** 2:
            most = min(most, sample.at - event)
        if abs(off) > _SETTLED:
            settled = sample.at
        beyond = max(beyond, -off if final < before else off)
    return Settling(most, settled - event, beyond)
