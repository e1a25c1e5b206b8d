"""Scenarios of health: services and hosts die, hang, become slow, flap and come back, while new connections are made."""
from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import time

from . import analysis, network, processes, rest, topology
from .health_run import PORT, HealthRun
from .system import BUILD, LabError, in_namespace, pid_of, wait_until
from .topology import BACKENDS, GATEWAYS, PREFIX, ROUTER, Host

_BE1 = topology.host("be1")


def process_exit(run: HealthRun) -> None:
    """The service's process on one backend exits, its host lives: new flows avoid it within 100 ms."""
    run.serve()
    run.drive(300)
    since = run.fault("SIGKILL to the service on be1")
    run.servers.signal(_BE1, PORT, signal.SIGKILL)
    run.go_on(4)
    run.avoided(since, 0.1)


def process_hang(run: HealthRun) -> None:
    """The service on one backend hangs (SIGSTOP): new flows avoid it within 500 ms."""
    run.serve()
    run.drive(300)
    since = run.fault("SIGSTOP to the service on be1")
    run.servers.signal(_BE1, PORT, signal.SIGSTOP)
    run.go_on(5)
    run.avoided(since, 0.5)
    resumed = run.fault("SIGCONT")
    run.servers.signal(_BE1, PORT, signal.SIGCONT)
    run.figures.add("back", run.back(_BE1.name, resumed) - resumed, "s from SIGCONT to a new flow")
    run.go_on(1)


def host_down(run: HealthRun) -> None:
    """The link of a backend goes down: new flows avoid it within 200 ms."""
    run.serve()
    run.drive(300)
    since = run.fault("the link of be1 goes down")
    run.cut(_BE1)
    run.go_on(5)
    run.avoided(since, 0.2)
    mended = run.fault("the link comes back")
    run.mend(_BE1)
    run.figures.add("back", run.back(_BE1.name, mended) - mended, "s from the link to a new flow")
    run.go_on(1)


# Two requests at a time, each 20 ms: 100 a second and backend. With 50 ms more be1 makes 28.6; of what all make then, 80 %.
_SLOTS, _SERVICE_MS, _EXTRA_MS = 2, 20, 50
_OFFERED = 0.8 * (2 * _SLOTS / _SERVICE_MS + _SLOTS / (_SERVICE_MS + _EXTRA_MS)) * 1000


def slow_backend(run: HealthRun) -> None:
    """Every request takes 50 ms longer on one backend, at 80 % load: hot within 200 ms, p99 half of that without."""
    without = {"hot": {"enabled": False}, "breaker": {"enabled": False}}
    run.serve(slots=_SLOTS, service_ms=_SERVICE_MS, health=without)
    run.drive(_OFFERED, timeout_ms=10_000)
    _, off = _become_slow(run, "without the fast loop")
    run.change_health("work", {"hot": {"enabled": True}})
    run.go_on(3)
    since, on = _become_slow(run, "with it")
    hot = analysis.change_point((r for r in run.client.records() if r.start < since + 5), since, {"be1": 1, "be2": 1,
                                "be3": 1}, {"be1": 4, "be2": 48, "be3": 48}) - since
    run.figures.add("hot", hot, "s until new flows leave be1", at_most=0.2 * run.scale.slack)
    run.figures.add("p99_off", off, "ms without the fast loop")
    run.figures.add("p99_on", on, "ms with it")
    run.figures.add("p99", on / off, "of that without", at_most=0.5)


def _become_slow(run: HealthRun, what: str) -> tuple[float, float]:
    """be1 is slow for a while and recovers. Returns when it began and the p99 in ms from one second on."""
    seconds = max(4, 10 * run.scale.time)
    since = run.fault(f"be1 becomes slow, {what}")
    run.servers.behave(_BE1, PORT, extra_ms=_EXTRA_MS)
    run.go_on(seconds)
    until = time.monotonic()
    run.servers.behave(_BE1, PORT)
    wait_until("the requests of the slow phase to end", lambda: _answered_since(run, until), 20)
    run.go_on(3)
    p99 = run.percentile_ms(since + 1, until, 99)
    flows = len(run.new_flows(_BE1.name, since + 1, until))
    total = len(analysis.began(run.client.records(), since + 1, until))
    run.event(f"{what}: p99 {p99:.0f} ms, be1 got {100 * flows / max(1, total):.1f} % of the new flows")
    return since, p99


def _answered_since(run: HealthRun, moment: float) -> bool:
    """Whether be1 answers within twice its usual time again: what it had queued is done."""
    recent = [r for r in run.client.records()[-400:] if r.backend == "be1" and r.start > moment]
    return bool(recent) and recent[-1].latency_ms < 2 * _SERVICE_MS


_HOLD = 2.0


def flapping(run: HealthRun) -> None:
    """A service comes and goes every 300 ms: in rotation at most once per hold time."""
    run.serve(health={"hold_ms": int(_HOLD * 1000), "max_hold_ms": int(_HOLD * 1000), "slow_start": {"duration_ms": 0}})
    run.drive(300)
    since = run.fault("the service on be1 comes and goes every 300 ms")
    seconds = max(7, 16 * run.scale.time)
    listening = False
    while time.monotonic() < since + seconds:
        run.servers.behave(_BE1, PORT, listening=int(listening))
        run.go_on(0.3)
        listening = not listening
    until = time.monotonic()
    run.forgiven.append((since - 0.1, until + 0.5))
    run.servers.behave(_BE1, PORT)
    run.go_on(2)
    # Only be1 refuses connections: what failed was in rotation, too.
    met = sorted(r.start for r in analysis.began(run.client.records(), since + 0.3, until)
                 if r.new_flow and (r.backend == _BE1.name or r.error))
    times = [t for t, before in zip(met, [since, *met]) if t - before > 0.5 * _HOLD]
    run.event(f"be1 was in rotation again {len(times)} times in {until - since:.1f} s, {len(met)} flows met it")
    run.figures.add("returns", len(times), f"times in {until - since:.1f} s", at_least=1,
                    at_most=math.ceil((until - since) / _HOLD))
    pauses = [b - a for a, b in zip([since, *times], times)]
    run.figures.add("shortest_pause", min(pauses, default=0.0), "s between its returns", at_least=0.95 * _HOLD)


_ALL_DOWN = {"use_all": 8081, "reset": 8082, "drop": 8083}


def all_down(run: HealthRun) -> None:
    """All backends of a service are down: use_all, reset and drop do what they say, at once."""
    check = {"name": "health", "type": "http", "path": "/health", "interval_ms": 100, "timeout_ms": 80}
    for what, port in _ALL_DOWN.items():
        run.serve(f"work-{what.replace('_', '-')}", port, health={
            "all_down": what, "hold_ms": 500, **({"checks": [check]} if what == "use_all" else {})})
    run.drive(300, ports=tuple(_ALL_DOWN.values()))
    since = run.fault("use_all: all checks fail, but the servers answer; reset, drop: nobody listens")
    for b in BACKENDS:
        run.servers.behave(b, _ALL_DOWN["use_all"], healthy=0)
        run.servers.behave(b, _ALL_DOWN["reset"], listening=0)
        run.servers.behave(b, _ALL_DOWN["drop"], listening=0)
    told = {what: _until_all_down(f"work-{what.replace('_', '-')}") for what in _ALL_DOWN}
    run.event("all_down told by REST after " + ", ".join(f"{w} {t:.2f} s" for w, t in told.items()))
    run.go_on(4)
    until = time.monotonic() - 1.6
    of = {what: [r for r in analysis.began(run.client.records(), since, until) if r.target == i]
          for i, what in enumerate(_ALL_DOWN)}
    run.figures.add("use_all_failed", len(analysis.failed(of["use_all"])), f"of {len(of['use_all'])} requests", at_most=0)
    late = [r for r in of["reset"] if r.start > since + 0.2 * run.scale.slack]
    run.figures.add("reset_answered", 100 * sum(1 for r in late if r.error and "timeout" not in r.error) / len(late),
                    "% of the requests after 200 ms refused", at_least=100)
    run.figures.add("reset_wait", max(r.latency_ms for r in late), "ms at most until the refusal", at_most=100)
    run.figures.add("reset_by_gateways", _outcome("work-reset", "answered_reset"), "resets sent", at_least=len(late) * 0.9)
    refused = [r.start for r in of["drop"] if r.error and "timeout" not in r.error]
    run.figures.add("drop", max(refused, default=since) - since, "s until nothing is answered any more",
                    at_most=0.2 * run.scale.slack)
    run.figures.add("dropped_by_gateways", _outcome("work-drop", "dropped_no_backend_alive"), "packets", at_least=10)
    for b in BACKENDS:
        for port in _ALL_DOWN.values():
            run.servers.behave(b, port)
    back = run.fault("all come back")
    wait_until("every service to be answered again", lambda: {r.target for r in analysis.began(
        run.client.records(), back) if not r.error} >= {0, 1, 2}, 15)
    run.go_on(4)
    run.forgiven.append((since - 1.6, time.monotonic() - 1))


def _until_all_down(service: str) -> float:
    def told() -> bool:
        gateways = rest.call("GET", f"/services/{service}/health")["gateways"]
        return len(gateways) >= len(GATEWAYS) and all(g["all_down"] for g in gateways)

    return wait_until(f"all of {service} to be down", told, 10)


def _outcome(service: str, name: str) -> int:
    return sum(int(g["outcomes"].get(name, 0)) for g in rest.call("GET", f"/services/{service}/stats")["gateways"])


def agent_lost(run: HealthRun) -> None:
    """Agent, probe path and control plane are lost, each alone: told apart, and no connection notices."""
    run.serve()
    run.drive(200, long_lived=24)
    _node_is(run, "up", "before")
    run.fault("SIGKILL to penstock-node of be1")
    os.kill(pid_of("be1-node"), signal.SIGKILL)
    _node_is(run, "agent_lost", "agent_lost")
    run.go_on(2)
    processes.start_node(_BE1)
    _node_is(run, "up", "agent_back")
    run.fault("the router loses all probes to be1")
    network.lose_probes(_BE1)
    _node_is(run, "path_lost", "path_lost")
    run.go_on(2)
    network.find_probes()
    _node_is(run, "up", "path_back")
    run.fault("SIGKILL to the control plane")
    os.kill(pid_of("controlplane"), signal.SIGKILL)
    run.go_on(4)
    processes.start_controlplane()
    processes.wait_for_sessions()
    _node_is(run, "up", "control_back")
    run.go_on(1)


def _node_is(run: HealthRun, state: str, figure: str) -> None:
    took = wait_until(f"be1 to be told as {state}", lambda: rest.call("GET", "/nodes/be1").get("state") == state, 15,
                      logs=["controlplane", "be1-node"])
    run.event(f"be1 is {state} after {took:.1f} s")
    run.figures.add(figure, took, f"s until be1 is told as {state}", at_most=10)


_RAMP_SECONDS, _INITIAL = 6.0, 0.1


def recovery(run: HealthRun) -> None:
    """A backend comes back: a trickle first, then a ramp over slow start, and never more than that."""
    run.serve(health={"hold_ms": 1000, "slow_start": {"duration_ms": int(_RAMP_SECONDS * 1000), "initial_percent":
                                                      int(100 * _INITIAL), "exponent": 1}})
    run.drive(450)
    down = run.fault("the service on be1 ends")
    run.servers.behave(_BE1, PORT, listening=0)
    run.go_on(2)
    run.forgiven.append((down - 0.1, down + 0.3 * run.scale.slack))
    back = run.fault("it is back")
    run.servers.behave(_BE1, PORT)
    first = run.back(_BE1.name, back)
    run.go_on(_RAMP_SECONDS + 3)
    # Each gateway ramps by itself; the first flow came some time after the ramp began, so a bin is judged by its end.
    worst, width = -1.0, 0.5
    for n in range(int(_RAMP_SECONDS / width)):
        share, flows = _share(run, first + n * width, first + (n + 1) * width)
        allowed = _INITIAL + (1 - _INITIAL) * min(1.0, ((n + 1) * width + 0.3) / _RAMP_SECONDS)
        noise = 3 * math.sqrt(allowed / 3 * (1 - allowed / 3) / max(1, flows)) * 3
        worst = max(worst, share - allowed - noise)
        run.event(f"{(n + 1) * width:.1f} s: {share:.2f} of its share, ramp {allowed:.2f}")
    run.figures.add("first_flow", first - back, "s from its start to a new flow")
    run.figures.add("above_ramp", max(0.0, worst), "of its share beyond three standard deviations", at_most=0)
    trickle, _ = _share(run, first, first + 1)
    run.figures.add("trickle", trickle, "of its share in the first second", at_most=0.45)
    full, _ = _share(run, first + _RAMP_SECONDS + 0.5, time.monotonic() - 0.5)
    run.figures.add("full", full, "of its share afterwards", at_least=0.8)


def _share(run: HealthRun, since: float, until: float) -> tuple[float, int]:
    """What be1 gets of the new flows, relative to a third of them; and how many there were."""
    flows = [r for r in analysis.began(run.client.records(), since, until) if r.new_flow and not r.error]
    return 3 * sum(1 for r in flows if r.backend == _BE1.name) / max(1, len(flows)), len(flows)


def forged_probes(run: HealthRun) -> None:
    """Forged, replayed and cut-off probes and replies at 100,000 a second: none believed, all counted, no answer."""
    run.serve()
    run.drive(100, long_lived=24)
    before, falls = _refused(), _falls()
    seconds, rate = (2, 20_000) if run.scale.time < 1 else (6, 100_000)
    run.fault(f"{rate} packets a second to be1 and, in its name, to the gateways, for {seconds} s")
    command = in_namespace(PREFIX + ROUTER, [str(BUILD / "tests/penstock-probe-enemy"), "--backend", _BE1.ipv4,
                                             "--per-second", str(rate), "--seconds", str(seconds)])
    enemy = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        while enemy.poll() is None:
            run.go_on(0.2)
    finally:
        enemy.kill()
    sent = json.loads(enemy.stdout.read())
    run.go_on(2.5)  # statistics are told once a second
    answers = sent.pop("answers")
    run.event(f"sent {sent}")
    requests = sum(n for what, n in sent.items() if what.endswith("requests"))
    replies = sum(n for what, n in sent.items() if what.endswith("replies"))
    after = _refused()
    run.figures.add("sent", (requests + replies) / seconds, "packets a second", at_least=0.7 * rate)
    run.figures.add("answers", answers, "packets", at_most=0)
    run.figures.add("answer_bytes", sent["answer_bytes"], "bytes", at_most=0)
    for where, count in (("node", requests), ("gateways", replies)):
        counted = after[where] - before[where]
        run.figures.add(f"counted_by_{where}", 100 * counted / max(1, count), f"% of {count} sent", at_least=90)
    run.figures.add("believed", _falls() - falls, "verdicts changed", at_most=0)


def _refused() -> dict[str, int]:
    node = rest.call("GET", "/nodes/be1")["probes"]["refused"]
    gateways = [rest.call("GET", f"/gateways/{g.name}")["probes"]["refused"] for g in GATEWAYS]
    return {"node": sum(node.values()), "gateways": sum(sum(g.values()) for g in gateways)}


def _falls() -> int:
    backends = rest.call("GET", "/services/work/health")["backends"]
    return sum(int(g.get("falls", 0)) for b in backends for g in b["gateways"])


