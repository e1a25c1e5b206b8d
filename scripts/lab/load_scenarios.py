"""Scenarios of load: weights that follow what backends can do, and how fast they do."""
from __future__ import annotations

import time

from . import analysis
from .load_run import SHARED, LoadRun
from .topology import host
from .weight_analysis import convergence, mean_shares, reaction, settling

# Of all six together, with the neighbour's part: where static weights still have room for everything but the neighbour.
_UTILISATION = 0.72
_SPREAD_POINTS = 5
_CALM_SECONDS = 4
_SILENT = host("be6")  # whose agent is lost


def load_aware(run: LoadRun) -> None:
    """Six unequal backends, one with a busy neighbour: weights converge, CPU spread <= 5 points, p99 halved."""
    run.begin("static")
    run.go(run.rate_for(_UTILISATION))
    run.neighbour_starts()
    run.go_on(2)
    began = time.monotonic()
    use = run.utilisation(max(8, 15 * run.scale.time))
    until = time.monotonic()
    run.event(f"static weights: {_text(use)}")
    run.figures.add("spread_static", _spread(use), "points of CPU utilisation")
    switched = run.policy("least-load")
    # What static weights have queued takes its time to be worked off, and no weight can change that.
    run.go_on(max(12, 30 * run.scale.time))
    static_p99 = run.percentile_ms(began, until, 99)
    run.event(f"static weights: p99 {static_p99:.0f} ms")
    run.explain()
    began = time.monotonic()
    # The count of a backend's requests varies by its root: a minute makes that a point for the smallest.
    use = run.utilisation(max(15, 60 * run.scale.time))
    until = time.monotonic()
    p99 = run.percentile_ms(began, until, 99)
    run.event(f"least-load: {_text(use)}; p99 {p99:.0f} ms")
    run.explain()
    final = mean_shares(run.watch.samples(began, until))
    run.event("shares: " + ", ".join(f"{n} {100 * s:.1f} %" for n, s in final.items()))
    run.figures.add("converged", convergence(run.watch.samples(switched, until), switched, final, within=0.1),
                    "s until all weights stay within a tenth")
    run.figures.add("spread", _spread(use), "points of CPU utilisation",
                    at_most=_SPREAD_POINTS * (1 if run.scale.time == 1 else 2))
    run.figures.add("p99_static", static_p99, "ms")
    run.figures.add("p99_least_load", p99, "ms")
    run.figures.add("p99", p99 / static_p99, "of that with static weights", at_most=0.5)


def load_step(run: LoadRun) -> None:
    """A neighbour takes half of one backend: its new weight is in the dataplanes in <= 1 s, and no flow is moved."""
    run.begin("least-load")
    run.go(run.rate_for(_UTILISATION), long_lived=24)
    run.go_on(max(20, 30 * run.scale.time))
    run.explain()
    stepped = run.neighbour_starts()
    run.go_on(max(10, 20 * run.scale.time))
    ended = time.monotonic()
    run.explain()
    before, after = _share(run, stepped), _share(run, ended)
    run.event(f"{SHARED.name}: share {100 * before:.1f} % -> {100 * after:.1f} %")
    # A few seconds tell the new share well enough to see a reaction, and not to within 5 %.
    whole = run.scale.time == 1
    calm, samples = run.watch.samples(stepped - _CALM_SECONDS, stepped), run.watch.samples(stepped, ended)
    run.figures.add("share", after / before, "of what it had before", at_most=0.85)
    run.figures.add("reaction", reaction(calm, samples, SHARED.name, stepped), "s to a new weight in every dataplane",
                    at_most=1.0 * run.scale.slack)
    down = settling(samples, SHARED.name, stepped, before, after)
    run.figures.add("most_of_the_way", down.most, "s until nine tenths of the step are done")
    run.figures.add("settled", down.seconds, "s until within 5 % of the final weight", at_most=1 if whole else None)
    run.figures.add("overshoot", 100 * down.overshoot, "% of the final weight", at_most=5 if whole else None)
    back = run.neighbour_ends()
    run.go_on(max(8, 15 * run.scale.time))
    until = time.monotonic()
    up = settling(run.watch.samples(back, until), SHARED.name, back, after, _share(run, until))
    run.figures.add("back", up.seconds, "s until settled after the neighbour has gone")
    _moved(run)


def weights_fail_static(run: LoadRun) -> None:
    """Control plane, then an agent are lost while weights follow load: they stay, go on, and an override wins."""
    run.begin("least-load")
    run.go(run.rate_for(_UTILISATION), long_lived=24)
    run.neighbour_starts()
    run.go_on(max(12, 20 * run.scale.time))
    _without_control_plane(run, max(4, 10 * run.scale.time))
    _without_agent(run)
    _overridden(run)
    _moved(run)


def _without_control_plane(run: LoadRun, seconds: float) -> None:
    run.watch.stop()
    run.lose_control_plane()
    before = run.watch.last_shares()
    run.go_on(1)
    began = run.go_on(seconds)
    served = analysis.shares(analysis.began(run.client.records(), began))
    run.figures.add("share_without_control_plane", max(abs(served.get(n, 0) - before[n]) for n in before) * 100,
                    "percentage points off the last weights", at_most=5)
    run.control_plane_comes_back()
    back = time.monotonic()
    run.go_on(8)
    after = run.watch.samples(back)
    run.event("shares: " + ", ".join(f"{n} {100 * s:.1f} -> {100 * mean_shares(after)[n]:.1f} %"
                                     for n, s in before.items()))
    jump, name, when = max((abs(s.shares[n] - before[n]), n, s.at - back) for s in after for n in before)
    run.event(f"farthest off: {name}, {when:.2f} s after the control plane was back")
    run.figures.add("jump", 100 * jump, "percentage points of any share after the restart", at_most=6)
    run.explain()


def _without_agent(run: LoadRun) -> None:
    """Its weight is held; that it decays after half a minute is for the law's own tests."""
    run.stop_agent(_SILENT)
    took = run.wait_for_state(_SILENT.name, "holding", 10)
    run.figures.add("held", took, "s until the weight is held for want of telemetry", at_most=6)
    run.go_on(0.5)
    weights = run.weights_of(_SILENT.name, 4)
    run.figures.add("held_weight", 100 * (max(weights) / min(weights) - 1), "% that it moves meanwhile", at_most=5)
    run.start_agent(_SILENT)
    took = run.wait_for_state(_SILENT.name, "following", 15)
    run.figures.add("follows_again", took, "s until it follows again")


def _overridden(run: LoadRun) -> None:
    since = run.override(_SILENT.name, 50)
    run.go_on(3)
    late = [s.at - since for s in run.watch.samples(since, since + 3) if s.weights[_SILENT.name] != 50]
    run.figures.add("override", max(late, default=0), "s until it is in every dataplane", at_most=1 * run.scale.slack)
    run.figures.add("overridden", sum(s.weights[_SILENT.name] != 50 for s in run.watch.samples(since + 2)),
                    "samples with another weight", at_most=0)
    run.override(_SILENT.name, None)
    run.go_on(2)


def _spread(use: dict[str, float]) -> float:
    return max(use.values()) - min(use.values())


def _text(use: dict[str, float]) -> str:
    return ", ".join(f"{name} {percent:.1f} %" for name, percent in use.items())


def _share(run: LoadRun, until: float) -> float:
    """Of the shared host, over the four seconds before."""
    return mean_shares(run.watch.samples(until - _CALM_SECONDS, until))[SHARED.name]


def _moved(run: LoadRun) -> None:
    """Flows that were answered by more than one backend, of those that lived through all of it."""
    backends: dict[int, set[str]] = {}
    long = [r for r in run.client.records() if r.kind == "long"]
    for r in long:
        if not r.error:
            backends.setdefault(r.flow, set()).add(r.backend)
    run.figures.add("flows_held", len(backends), "connections", at_least=20)
    run.figures.add("flows_moved", sum(1 for seen in backends.values() if len(seen) > 1), "connections", at_most=0)
    run.figures.add("flows_broken", len(analysis.failed(long)), "connections", at_most=0)
