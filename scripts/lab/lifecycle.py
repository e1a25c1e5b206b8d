"""The whole lab up and down. One lab at a time; its state is the folder /run/penstock-lab."""
from __future__ import annotations

import contextlib
import fcntl
import shutil
import signal
import time
from pathlib import Path
from typing import Iterator

from . import backends, certificates, cgroups, host_setup, network, processes, rest, routing, topology
from .analysis import failed
from .client import Client
from .system import LOGS, RUN, LabError, ended, kill_namespace, namespace_pids, pid_of, say, wait_until
from .topology import BACKENDS, GATEWAYS, SERVICES

_LOCK = Path("/run/penstock-lab.lock")
_READY = RUN / "ready"


@contextlib.contextmanager
def exclusive() -> Iterator[None]:
    """Held while a lab goes up or down, so that two commands never build or tear at once."""
    with open(_LOCK, "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LabError("another lab command is under way: wait for it to end", 75) from None
        yield


def up() -> None:
    with exclusive():
        if is_up():
            raise LabError("a lab is already up: use it, or end it with 'scripts/lab.sh down'", 75)
        _clear()  # what an interrupted run may have left
        processes.require_binaries()
        start = time.monotonic()
        try:
            _build(start)
        except BaseException:
            keep = _save_logs()
            _clear()
            if keep:
                say(f"the logs of the failed start are in {keep}")
            raise
        _READY.touch()


def _build(start: float) -> None:
    def step(text: str) -> None:
        say(f"[{time.monotonic() - start:5.1f} s] {text}")

    RUN.mkdir(mode=0o755, exist_ok=True)
    LOGS.mkdir(exist_ok=True)
    host_setup.prepare()
    network.create()
    certificates.create()
    step("network: client, router, gw1-gw3, be1-be6, ctl")
    for g in GATEWAYS:
        routing.start_gateway(g)
    routing.start_router()
    for b in BACKENDS:
        backends.start_services(b)
    backends.wait_for_services()
    step("backends: nginx on 80, echo on 7 (UDP and TCP)")
    processes.start_controlplane()
    for b in BACKENDS:
        processes.start_node(b)
    for g in GATEWAYS:
        processes.start_gateway(g)
    processes.wait_for_sessions()
    step("control plane: both gateways and all nodes connected (mTLS)")
    processes.create_services()
    processes.wait_for_vips()
    step(f"services: {', '.join(s.id for s in SERVICES)} on {topology.VIP4} and {topology.VIP6}, weights 1:2:3")
    routing.wait_for_sessions(GATEWAYS)
    routing.wait_for_ecmp(GATEWAYS, logs=[f"{g.name}-gateway" for g in GATEWAYS])
    step("routing: BGP and BFD up, both VIPs over both gateways")
    _wait_for_answers()
    step("traffic: all services answer")


def _wait_for_answers() -> None:
    """All services answer on both paths and neighbours on every leg are resolved: a short run without a loss."""
    wait_until("answers from all services without a loss", _all_answer, 30,
               logs=[f"{g.name}-dataplane" for g in GATEWAYS])


def _all_answer() -> bool:
    probe = Client(http_rate=80, udp_rate=40, long_lived=0)
    probe.start()
    time.sleep(0.5)
    records = probe.stop()
    return len(records) > 20 and not failed(records)


def down() -> None:
    with exclusive():
        _clear()


def _clear() -> None:
    if rest_of_a_lab():
        processes.stop_all()
    killed = [pid for ns in network.existing() for pid in kill_namespace(ns, signal.SIGKILL)]
    wait_until("the lab's processes to end", lambda: all(ended(pid) for pid in killed), 15)
    cgroups.remove()
    network.destroy()
    for ns in topology.NAMESPACES:
        routing.clean(ns)
    host_setup.restore()
    processes.forget_flows()
    shutil.rmtree(RUN, ignore_errors=True)


def _save_logs() -> Path | None:
    if not LOGS.exists():
        return None
    keep = Path("/tmp/penstock-lab-log")
    shutil.rmtree(keep, ignore_errors=True)
    shutil.copytree(LOGS, keep)
    return keep


def rest_of_a_lab() -> bool:
    return RUN.exists() or bool(network.existing())


def is_up() -> bool:
    """Whether a lab can be used. One whose processes were all killed with their session is only a rest to clear."""
    return (_READY.exists() and set(topology.NAMESPACES) <= set(network.existing())
            and any(namespace_pids(ns) for ns in topology.NAMESPACES))


def require_up() -> None:
    if not is_up():
        raise LabError("no lab is up: start one with 'scripts/lab.sh up'", 69)


def status() -> None:
    require_up()
    names = ["controlplane"]
    for g in GATEWAYS:
        names += [f"{g.name}-dataplane", f"{g.name}-gateway"]
    for b in BACKENDS:
        names += [f"{b.name}-nginx", f"{b.name}-echo", f"{b.name}-node"]
    for name in names:
        pid = pid_of(name)
        say(f"{name:16} {'pid ' + str(pid) if pid else 'not running'}")
    for vip in (topology.VIP4, topology.VIP6):
        say(f"{vip:16} over {', '.join(network.gateway_next_hops(vip)) or 'nobody'}")
    if rest.answers():
        for g in rest.call("GET", "/gateways")["items"]:
            say(f"{g['id']:16} connected={g.get('connected')} generation={g.get('generation')} "
                f"announces {', '.join(g.get('announced_vips', [])) or 'nothing'}")
