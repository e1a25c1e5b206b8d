"""Fault scenarios of the replication between gateways. Their flows are ones that second chance cannot save."""
from __future__ import annotations

import contextlib
import time
from typing import Iterator

from . import path_between, rest
from .extra_services import extra_services, service
from .fault_run import FaultRun, Targets
from .topology import GATEWAYS, VIP4, VIP6

_NAT4, _NAT6 = "203.0.113.30", "2001:db8:ffff::30"
_VIPS = [VIP4, VIP6, _NAT4, _NAT6]
_LOSS_PERCENT = 20
# Every flow older than a second is known to the peer within two more.
_KNOWN_SECONDS = 3.0


@contextlib.contextmanager
def _agentless(run: FaultRun) -> Iterator[Targets]:
    """TCP and downloads through NAT, which no agent of a backend helps; UDP over IPIP and GUE."""
    documents = [service(f"{name}{family}", vip, "tcp", port, "nat", family)
                 for family, vip in ((4, _NAT4), (6, _NAT6)) for name, port in (("natflow", 7), ("natweb", 80))]
    with extra_services(documents, [_NAT4, _NAT6]):
        yield Targets([f"{_NAT4}:7", f"[{_NAT6}]:7"], [f"{VIP4}:7", f"[{VIP6}]:7"], [f"{_NAT4}:80", f"[{_NAT6}]:80"])
        run.flows.kill()  # before the services go


def nat_rehash(run: FaultRun) -> None:
    """All flows change their gateway, NAT, 20 % loss of replication: nothing breaks, no gap."""
    with _agentless(run) as targets, path_between.replication_loss(_LOSS_PERCENT):
        run.hold(targets)
        run.go_on(_KNOWN_SECONDS)
        adopted = _adopted()
        try:
            _rehash(run, answers=False)
            run.go_on(max(4, 15 * run.scale.time))
            run.look("all flows on the other gateway")
            _rehash(run, answers=True)
            run.go_on(max(4, 15 * run.scale.time))
            run.look("and the backends' answers, too")
        finally:
            path_between.undo_rehash(_VIPS)
        run.event("all flows back")
        run.go_on(max(3, 10 * run.scale.time))
        run.figures.add("adopted", _adopted() - adopted, "NAT sessions taken over from the other gateway",
                        at_least=run.scale.connections)
        run.conclude()


def _rehash(run: FaultRun, *, answers: bool) -> None:
    ports = range(20000, 20020)
    before = {vip: path_between.gateways_of_flows(vip, ports) for vip in (_NAT4, _NAT6)}
    if not answers:
        run.fault("the router sends every flow to the other gateway")
    path_between.rehash(_VIPS, answers=answers)
    if answers:
        return
    moved = sum(a != b for vip in before for a, b in zip(before[vip], path_between.gateways_of_flows(vip, ports)))
    run.figures.add("moved", moved, f"of {2 * len(ports)} sampled flows", at_least=2 * len(ports))


def replication_hostile(run: FaultRun) -> None:
    """Replication silent, corrupted, replayed and forged: refused and counted; then all flows change their gateway."""
    with _agentless(run) as targets:
        run.hold(targets)
        run.go_on(_KNOWN_SECONDS)
        part = max(4, 12 * run.scale.time)
        run.fault("replication falls silent")
        with path_between.replication_loss(100):
            run.go_on(part)
        _attack(run, "corrupt", part, ("malformed", "authentication"))
        _attack(run, "replay", part, ("replay",))
        _attack(run, "forge", part, ("malformed", "authentication", "stranger"))
        run.go_on(_KNOWN_SECONDS)
        try:
            with path_between.enemy("forge"):
                run.event("all flows change their gateway under forged replication")
                path_between.rehash(_VIPS, answers=False)
                run.go_on(part)
        finally:
            path_between.undo_rehash(_VIPS)
        run.go_on(2)
        run.conclude()


def _attack(run: FaultRun, mode: str, seconds: float, counters: tuple[str, ...]) -> None:
    before = _refused()
    with contextlib.ExitStack() as stack:
        if mode == "corrupt":
            stack.enter_context(path_between.replication_loss(100))
        sent = stack.enter_context(path_between.enemy(mode))
        run.go_on(seconds)
    time.sleep(2.1)  # the gateways report every second
    refused = {name: _refused()[name] - before[name] for name in before}
    run.event(f"{mode}: sent {_some(sent)}, refused {_some(refused)}")
    for name in counters:
        run.figures.add(f"{mode}_refused_{name}", refused[name], "counted by the gateways", at_least=1)
    run.look(mode)


def _some(counts: dict[str, int]) -> str:
    return ", ".join(f"{n} {name}" for name, n in counts.items() if n) or "nothing"


def _refused() -> dict[str, int]:
    """By reason, of both gateways."""
    total = {"malformed": 0, "authentication": 0, "replay": 0, "stranger": 0}
    for g in GATEWAYS:
        refused = rest.call("GET", f"/gateways/{g.name}").get("sync", {}).get("refused", {})
        for name in total:
            total[name] += int(refused.get(name, 0))
    return total


def _adopted() -> int:
    return sum(int(rest.call("GET", f"/gateways/{g.name}").get("flows", {}).get("nat_sessions_adopted", 0))
               for g in GATEWAYS)
