"""Penstock's own processes in the lab: command lines, start, readiness."""
from __future__ import annotations

import functools
import shutil
from pathlib import Path
from typing import Sequence

from . import certificates, network, other_routing, rest, routing, topology
from .system import BUILD, GATEWAY_PRIORITY, ROOT, RUN, LabError, pid_of, run, spawn, stop, wait_until
from .topology import BACKENDS, CTL, GATEWAYS, JOINING, JOINING_BACKENDS, SERVICES, SYNC_PORT, Host

BIN = BUILD / "bin"
BINARIES = ["penstock-controlplane", "penstock-gateway", "penstock-dataplane", "penstock-node", "penstockctl"]
_GRPC = f"{CTL.ipv4}:7781"
_STATE = RUN / "state"
# Flow tables outlive a dataplane here, in memory.
_FLOWS = Path("/dev/shm/penstock-lab")
_PROBE_INTERVAL_MS = 50
# A gateway host has 100. Here a late beat of a starved process withdrew both gateways at once, seen with 5,000 NAT
# sessions while compilers ran beside; a dead dataplane is noticed by its socket, whatever this is.
_HEARTBEAT_TIMEOUT_MS = 300


def require_binaries() -> None:
    missing = [b for b in BINARIES if not (BIN / b).exists()]
    if missing:
        raise LabError(f"{', '.join(missing)} not found in {BIN}: build first with "
                       "'cmake --preset release && cmake --build --preset release'", 69)


def start_controlplane() -> None:
    folder = _state("controlplane")
    spawn("controlplane", [str(BIN / "penstock-controlplane"), "--store", str(folder / "controlplane.db"),
                           "--rest", f"127.0.0.1:{rest.PORT}", "--grpc", _GRPC,
                           *certificates.flags("controlplane")], ns=CTL.namespace)
    wait_until("REST of the control plane", rest.answers, 15, alive=["controlplane"])


def start_node(h: Host, more: Sequence[str] = ()) -> None:
    """more: further flags of penstock-node."""
    name = f"{h.name}-node"
    spawn(name, [str(BIN / "penstock-node"), "--id", h.name, "--interface", "eth0", "--controlplane", _GRPC,
                 "--state-dir", str(_state(name)), *certificates.flags(h.name), *more], ns=h.namespace)


def start_dataplane(g: Host) -> None:
    command = dataplane_command(g)
    _socket(g).unlink(missing_ok=True)  # what a killed one left would look like the new one's
    spawn(f"{g.name}-dataplane", command, ns=g.namespace)


def dataplane_command(g: Host) -> list[str]:
    nat = [word for source in topology.NAT_SOURCES[g.name] for word in ("--nat-source", source)]
    # Answers to the sources of others may come here as well: their sessions are known by replication.
    others = [source for name, pair in topology.NAT_SOURCES.items() if name != g.name for source in pair]
    nat += [word for source in others for word in _optional("penstock-dataplane", "--nat-backup-source", source)]
    # sleep:50: two gateways, a router and three backends share two cores here; a gateway host would spin.
    return [*GATEWAY_PRIORITY, str(BIN / "penstock-dataplane"), "--port", "net_af_xdp0,iface=eth0",
            "--idle", "sleep:50", "--socket", str(_socket(g)), "--memory-mb", "128",
            "--lcores", "1" if g.name == "gw2" else "0", *nat,
            *_optional("penstock-dataplane", "--flow-dir", str(_flows(g))),
            *_optional("penstock-dataplane", "--sync-address", f"{g.ipv4}:{SYNC_PORT}"),
            *_optional("penstock-dataplane", "--probe-interval-ms", str(_PROBE_INTERVAL_MS))]


def start_gateway_agent(g: Host, routing_daemon: str = "frr") -> None:
    name = f"{g.name}-gateway"
    spawn(name, [*GATEWAY_PRIORITY, str(BIN / "penstock-gateway"), "--id", g.name, "--controlplane", _GRPC,
                 "--dataplane-socket", str(_socket(g)), "--state-dir", str(_state(name)),
                 "--heartbeat-timeout-ms", str(_HEARTBEAT_TIMEOUT_MS), *certificates.flags(g.name),
                 *_optional("penstock-gateway", "--sync-address", f"{g.ipv4}:{SYNC_PORT}"),
                 *_optional("penstock-gateway", "--restart-command", str(_restart_script(g))),
                 *_optional("penstock-gateway", "--routing", routing_daemon),
                 *_optional("penstock-gateway", "--vtysh-instance", g.namespace),
                 *_optional("penstock-gateway", "--bird-socket", str(other_routing.bird_socket(g))),
                 *_optional("penstock-gateway", "--bird-include", str(other_routing.bird_include(g))),
                 *_optional("penstock-gateway", "--gobgp", other_routing.GOBGP_API)], ns=g.namespace)


def _optional(program: str, flag: str, value: str) -> list[str]:
    """The flag with its value, if this build of the program knows it: figures of an older build remain comparable."""
    return [flag, value] if flag in _help(program) else []


@functools.cache
def _help(program: str) -> str:
    return run([str(BIN / program), "--help"])


def _restart_script(g: Host) -> Path:
    script = RUN / f"restart-{g.name}-dataplane.sh"
    script.write_text(f"#!/bin/sh\nexport PENSTOCK_BUILD={BUILD}\ncd {ROOT}/scripts\n"
                      f"exec /usr/bin/python3 -B -m lab.restart_dataplane {g.name}\n")
    script.chmod(0o700)
    return script


def withdraw_unless_forwarding(g: Host) -> None:
    """What a supervisor does after dataplane or agent has ended: ExecStopPost of scripts/systemd."""
    run([str(BIN / "penstock-gateway"), "--withdraw", "unless-forwarding", "--dataplane-socket", str(_socket(g))],
        ns=g.namespace)


def start_gateway(g: Host) -> None:
    start_dataplane(g)
    wait_for_dataplane(g)
    start_gateway_agent(g)


def start_missing() -> None:
    """What a scenario that ended half-way has left dead of the lab's own."""
    if pid_of("controlplane") is None:
        start_controlplane()
    for g in GATEWAYS:
        if pid_of(f"{g.name}-dataplane") is None:
            start_dataplane(g)
            wait_for_dataplane(g)
        if pid_of(f"{g.name}-gateway") is None:
            start_gateway_agent(g)
    for b in BACKENDS:
        if pid_of(f"{b.name}-node") is None:
            start_node(b)


def restart_dataplane(g: Host) -> None:
    dataplane_command(g)  # asks the binary for its flags: not while nothing forwards
    stop(f"{g.name}-dataplane")
    start_dataplane(g)
    wait_for_dataplane(g)


def wait_for_dataplane(g: Host) -> None:
    wait_until(f"the dataplane of {g.name}", lambda: _socket(g).exists(), 20, alive=[f"{g.name}-dataplane"])


def revive_gateway(g: Host) -> None:
    """A gateway killed by the gateway-death scenario comes back, as after a reboot."""
    network.unsilence(g)
    network.forget_vips(g)
    routing.start_gateway(g)
    start_gateway(g)


def stop_gateway_agent(g: Host) -> None:
    stop(f"{g.name}-gateway")


def stop_gateway(g: Host) -> None:
    stop_gateway_agent(g)
    stop(f"{g.name}-dataplane")


def wait_for_sessions_of_gateways() -> None:
    wait_until("gateways connected to the control plane", lambda: _connected("/gateways", GATEWAYS), 20,
               alive=[f"{g.name}-gateway" for g in GATEWAYS], logs=["controlplane"])


def wait_for_sessions() -> None:
    wait_for_sessions_of_gateways()
    wait_for_sessions_of_nodes(BACKENDS)


def wait_for_sessions_of_nodes(hosts: Sequence[Host]) -> None:
    wait_until("nodes connected to the control plane", lambda: _connected("/nodes", hosts), 20,
               alive=[f"{h.name}-node" for h in hosts], logs=["controlplane"])


def create_services() -> None:
    for service in SERVICES:
        rest.call("PUT", f"/services/{service.id}", service.document())


def wait_for_vips() -> None:
    """Every node took its VIPs, and every gateway forwards the newest generation."""
    for b in BACKENDS:
        wait_until(f"the VIPs on lo of {b.name}", lambda b=b: _has_vips(b), 15, alive=[f"{b.name}-node"],
                   logs=[f"{b.name}-node"])
    wait_for_generation()


def wait_for_generation(deadline_seconds: float = 15) -> None:
    wait_until("all connected gateways to run the newest generation", _all_current, deadline_seconds,
               logs=[f"{g.name}-gateway" for g in GATEWAYS])


def _all_current() -> bool:
    newest = rest.call("GET", "/status")["generation"]
    gateways = rest.call("GET", "/gateways")["items"]
    return all(g.get("generation") == newest for g in gateways if g.get("connected"))


def wait_for_nodes(vips: set[str], deadline_seconds: float = 15) -> None:
    """Every node serves these VIPs. NAT services are none of a node's business."""
    def serving() -> bool:
        nodes = rest.call("GET", "/nodes")["items"]
        return all(vips <= {s["vip"] for s in n["services"]} for n in nodes if n.get("connected"))

    wait_until(f"all nodes to serve {', '.join(sorted(vips))}", serving, deadline_seconds,
               logs=[f"{b.name}-node" for b in BACKENDS])


def _connected(path: str, hosts: Sequence[Host]) -> bool:
    items = {i["id"]: i for i in rest.call("GET", path)["items"]}
    return all(items.get(h.name, {}).get("connected") for h in hosts)


def _has_vips(b: Host) -> bool:
    text = run(["ip", "-o", "addr", "show", "dev", "lo"], ns=b.namespace)
    return all(f" {s.vip}/" in text for s in SERVICES)


def stop_all() -> None:
    """Cleanly, so that each process undoes what it set up; whatever stays is killed with its namespace."""
    gateways = [*GATEWAYS, JOINING]
    names = [f"{g.name}-gateway" for g in gateways] + [f"{g.name}-dataplane" for g in gateways]
    names += [f"{b.name}-node" for b in [*BACKENDS, *JOINING_BACKENDS]] + ["controlplane"]
    for name in names:
        if pid_of(name) is not None:
            stop(name)


def _socket(g: Host) -> Path:
    return _state(f"{g.name}-dataplane") / "dataplane.sock"


def _flows(g: Host) -> Path:
    folder = _FLOWS / g.name
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def forget_flows() -> None:
    shutil.rmtree(_FLOWS, ignore_errors=True)


def _state(name: str) -> Path:
    folder = _STATE / name
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
