"""BIRD and GoBGP in a gateway, from the templates in scripts/bird and scripts/gobgp, in place of FRR."""
from __future__ import annotations

from pathlib import Path

from . import routing
from .system import GATEWAY_PRIORITY, ROOT, RUN, run, spawn, stop, wait_until
from .topology import GATEWAY_AS, ROUTER_AS, Host

_FOLDER = RUN / "routing"
GOBGP_API = "127.0.0.1:50051"


def bird_socket(g: Host) -> Path:
    return _file(g, "bird.ctl")


def bird_include(g: Host) -> Path:
    """Written by the gateway's agent."""
    return _file(g, "bird-penstock.conf")


def start(g: Host, daemon: str) -> None:
    {"frr": routing.start_gateway, "bird": _start_bird, "gobgp": _start_gobgp}[daemon](g)


def stop_daemon(g: Host, daemon: str) -> None:
    if daemon == "frr":
        routing.stop_gateway(g)
    else:
        stop(f"{g.name}-{daemon}")


def _start_bird(g: Host) -> None:
    wait_until(f"the agent of {g.name} to write what BIRD includes", bird_include(g).exists, 15, logs=[
        f"{g.name}-gateway"])
    config = _render(g, "bird/gateway.conf.in", "bird.conf", [
        *_speakers(g), f"ROUTERS_V4={g.router_ipv4}", f"ROUTERS_V6={g.router_ipv6}", f"INCLUDE={bird_include(g)}",
        *routing.VIPS])
    spawn(f"{g.name}-bird", [*GATEWAY_PRIORITY, "bird", "-f", "-c", str(config), "-s", str(bird_socket(g))],
          ns=g.namespace)
    wait_until(f"BIRD of {g.name}", bird_socket(g).exists, 10, alive=[f"{g.name}-bird"])


def _start_gobgp(g: Host) -> None:
    config = _render(g, "gobgp/gateway.toml.in", "gobgp.toml", [
        *_speakers(g), f"ROUTER_V4={g.router_ipv4}", f"ROUTER_V6={g.router_ipv6}"])
    spawn(f"{g.name}-gobgp", [*GATEWAY_PRIORITY, "gobgpd", "-f", str(config), "--api-hosts", GOBGP_API,
                              "--pprof-disable"], ns=g.namespace)


def _speakers(g: Host) -> list[str]:
    return [f"ROUTER_ID={g.ipv4}", f"LOCAL_AS={GATEWAY_AS}", f"ROUTER_AS={ROUTER_AS}"]


def _render(g: Host, template: str, name: str, values: list[str]) -> Path:
    config = _file(g, name)
    config.write_text(run([str(ROOT / "scripts/frr/render.sh"), str(ROOT / "scripts" / template), *values]))
    return config


def _file(g: Host, name: str) -> Path:
    folder = _FOLDER / g.name
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name
