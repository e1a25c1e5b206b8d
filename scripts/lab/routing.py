"""FRR in the router and the gateways, from the templates in scripts/frr."""
from __future__ import annotations

import json
import shutil
from pathlib import Path

from . import network
from .system import GATEWAY_PRIORITY, LOGS, ROOT, LabError, ended, run, wait_until
from .topology import GATEWAY_AS, GATEWAYS, JOINING, PREFIX, ROUTER, ROUTER_AS, VIP4, VIP6, Host

_DAEMONS = ("zebra", "bgpd", "bfdd")
_ROUTER_NS = PREFIX + ROUTER
VIPS = [f"VIP_PREFIXES_V4={VIP4.rsplit('.', 1)[0]}.0/24", "VIP_PREFIXES_V6=2001:db8:ffff::/64"]


def start_router() -> None:
    _start(_ROUTER_NS, "router.conf.in", [
        f"HOSTNAME={ROUTER}", "ROUTER_ID=10.0.0.1", f"LOCAL_AS={ROUTER_AS}", f"GATEWAY_AS={GATEWAY_AS}",
        "GATEWAYS_V4=" + " ".join(g.ipv4 for g in [*GATEWAYS, JOINING]),
        "GATEWAYS_V6=" + " ".join(g.ipv6 for g in [*GATEWAYS, JOINING]), *VIPS])


def start_gateway(g: Host) -> None:
    _start(g.namespace, "gateway.conf.in", [
        f"HOSTNAME={g.name}", f"ROUTER_ID={g.ipv4}", f"LOCAL_AS={GATEWAY_AS}", f"ROUTER_AS={ROUTER_AS}",
        f"ROUTERS_V4={g.router_ipv4}", f"ROUTERS_V6={g.router_ipv6}", *VIPS])


def stop_gateway(g: Host) -> None:
    """SIGTERM: bgpd says goodbye to its peers."""
    files = [Path("/var/run/frr") / g.namespace / f"{daemon}.pid" for daemon in _DAEMONS]
    pids = [int(file.read_text()) for file in files if file.exists()]
    for pid in pids:
        run(["kill", str(pid)], check=False)
    wait_until(f"FRR of {g.name} to end", lambda: all(ended(pid) for pid in pids), 10)
    clean(g.namespace)


def _start(ns: str, template: str, values: list[str]) -> None:
    frr = ROOT / "scripts/frr"
    text = run([str(frr / "render.sh"), str(frr / template), *values])
    clean(ns)
    etc, state = Path("/etc/frr") / ns, Path("/var/run/frr") / ns
    logs = LOGS / "frr"
    for folder in (etc, state, logs):
        folder.mkdir(parents=True, exist_ok=True)
        shutil.chown(folder, "frr", "frr")
    (etc / "frr.conf").write_text(text)
    (etc / "vtysh.conf").write_text("")
    for daemon in _DAEMONS:
        # The log files are of user frr, and so is the folder: FRR drops root before it opens them.
        run([*GATEWAY_PRIORITY, f"/usr/lib/frr/{daemon}", "-d", "-N", ns, "-f", "/dev/null", "-i", f"{state}/{daemon}.pid",
             "--log", f"file:{logs}/{ns}-{daemon}.log", "--log-level", "informational"], ns=ns)
    output = run(["vtysh", "-N", ns, "-b"])
    refused = [line for line in output.splitlines() if "Unknown command" in line or line.startswith("% ")]
    if refused:
        raise LabError(f"FRR in {ns} refused its configuration: {refused[0]}")


def clean(ns: str) -> None:
    for folder in (Path("/etc/frr") / ns, Path("/var/run/frr") / ns):
        shutil.rmtree(folder, ignore_errors=True)


def vtysh_json(ns: str, command: str) -> dict:
    out = run(["vtysh", "-N", ns, "-c", command], check=False)
    try:
        return json.loads(out)
    except json.JSONDecodeError:
        return {}


def sessions_established(g: Host) -> bool:
    """Both BGP sessions of a gateway are up at the router, and so is their BFD."""
    peers = vtysh_json(_ROUTER_NS, "show bgp summary json")
    bgp = {p for family in ("ipv4Unicast", "ipv6Unicast") for p, s in
           peers.get(family, {}).get("peers", {}).items() if s.get("state") == "Established"}
    bfd = {p.get("peer") for p in _bfd_peers() if p.get("status") == "up"}
    return {g.ipv4, g.ipv6} <= bgp and {g.ipv4, g.ipv6} <= bfd


def _bfd_peers() -> list:
    peers = vtysh_json(_ROUTER_NS, "show bfd peers json")
    return peers if isinstance(peers, list) else []


def bgp_paths(vip: str) -> list[str]:
    """Next hops from which the router has a valid BGP path for a VIP."""
    family, length = ("ipv6", 128) if ":" in vip else ("ipv4", 32)
    answer = vtysh_json(_ROUTER_NS, f"show bgp {family} unicast {vip}/{length} json")
    return sorted(p["nexthops"][0]["ip"] for p in answer.get("paths", []) if p.get("valid") and p.get("nexthops"))


def wait_for_sessions(gateways: list[Host], deadline_seconds: float = 30) -> None:
    for g in gateways:
        frr = [f"frr/{_ROUTER_NS}-bgpd", f"frr/{g.namespace}-bgpd"]
        wait_until(f"BGP and BFD between router and {g.name} (IPv4 and IPv6)",
                   lambda g=g: sessions_established(g), deadline_seconds, logs=frr, interval=0.2)


def wait_for_ecmp(gateways: list[Host], deadline_seconds: float = 30, logs: list[str] | None = None) -> None:
    names = [g.name for g in gateways]
    for vip in (VIP4, VIP6):
        wait_until(f"a route at the router to {vip} over {' and '.join(names) or 'nobody'}",
                   lambda vip=vip: network.gateway_next_hops(vip) == names, deadline_seconds, logs=logs)
