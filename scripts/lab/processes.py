"""Penstock's own processes in the lab: command lines, start, readiness."""
from __future__ import annotations

from pathlib import Path

from . import certificates, network, rest, routing, topology
from .system import BUILD, GATEWAY_PRIORITY, RUN, LabError, pid_of, run, spawn, stop, wait_until
from .topology import BACKENDS, CTL, GATEWAYS, SERVICES, Host

BIN = BUILD / "bin"
BINARIES = ["penstock-controlplane", "penstock-gateway", "penstock-dataplane", "penstock-node", "penstockctl"]
_GRPC = f"{CTL.ipv4}:7781"
_STATE = RUN / "state"


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


def start_node(h: Host) -> None:
    name = f"{h.name}-node"
    spawn(name, [str(BIN / "penstock-node"), "--id", h.name, "--interface", "eth0", "--controlplane", _GRPC,
                 "--state-dir", str(_state(name)), *certificates.flags(h.name)], ns=h.namespace)


def start_dataplane(g: Host) -> None:
    nat = [word for source in topology.NAT_SOURCES[g.name] for word in ("--nat-source", source)]
    # sleep:50: two gateways, a router and three backends share two cores here; a gateway host would spin.
    spawn(f"{g.name}-dataplane", [*GATEWAY_PRIORITY, str(BIN / "penstock-dataplane"), "--port", "net_af_xdp0,iface=eth0",
                                  "--idle", "sleep:50", "--socket", str(_socket(g)), "--memory-mb", "128",
                                  "--lcores", "0" if g.name == "gw1" else "1", *nat], ns=g.namespace)


def start_gateway_agent(g: Host) -> None:
    name = f"{g.name}-gateway"
    spawn(name, [*GATEWAY_PRIORITY, str(BIN / "penstock-gateway"), "--id", g.name, "--controlplane", _GRPC,
                 "--dataplane-socket", str(_socket(g)), "--state-dir", str(_state(name)),
                 "--heartbeat-timeout-ms", "300", *certificates.flags(g.name)], ns=g.namespace)


def start_gateway(g: Host) -> None:
    start_dataplane(g)
    wait_until(f"the dataplane of {g.name}", lambda: _socket(g).exists(), 20, alive=[f"{g.name}-dataplane"])
    start_gateway_agent(g)


def revive_gateway(g: Host) -> None:
    """A gateway killed by the gateway-death scenario comes back, as after a reboot."""
    network.unsilence(g)
    routing.start_gateway(g)
    start_gateway(g)


def wait_for_sessions() -> None:
    gateways = [f"{g.name}-gateway" for g in GATEWAYS]
    nodes = [f"{b.name}-node" for b in BACKENDS]
    wait_until("gateways connected to the control plane", lambda: _connected("/gateways", GATEWAYS), 20,
               alive=gateways, logs=["controlplane"])
    wait_until("nodes connected to the control plane", lambda: _connected("/nodes", BACKENDS), 20,
               alive=nodes, logs=["controlplane"])


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


def _connected(path: str, hosts: list[Host]) -> bool:
    items = {i["id"]: i for i in rest.call("GET", path)["items"]}
    return all(items.get(h.name, {}).get("connected") for h in hosts)


def _has_vips(b: Host) -> bool:
    text = run(["ip", "-o", "addr", "show", "dev", "lo"], ns=b.namespace)
    return all(f" {s.vip}/" in text for s in SERVICES)


def stop_all() -> None:
    """Cleanly, so that each process undoes what it set up; whatever stays is killed with its namespace."""
    names = [f"{g.name}-gateway" for g in GATEWAYS] + [f"{g.name}-dataplane" for g in GATEWAYS]
    names += [f"{b.name}-node" for b in BACKENDS] + ["controlplane"]
    for name in names:
        if pid_of(name) is not None:
            stop(name)


def _socket(g: Host) -> Path:
    return _state(f"{g.name}-dataplane") / "dataplane.sock"


def _state(name: str) -> Path:
    folder = _STATE / name
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
