"""Services beside the lab's own, for as long as a scenario needs them."""
from __future__ import annotations

import contextlib
from typing import Any, Iterator, Sequence

from . import network, processes, rest
from .system import LabError, wait_until
from .topology import BACKENDS, GATEWAYS, Host


def service(name: str, vip: str, protocol: str, port: int, encap: str, family: int, *, backend_port: int | None = None,
            hosts: Sequence[Host] = BACKENDS, **more: Any) -> dict:
    """A service over all backends, or the given ones, with equal weights."""
    own = {"port": backend_port} if backend_port else {}
    return {"id": name, "vip": vip, "protocol": protocol, "port": port, "encap": encap, **more,
            "backends": [{"id": b.name, "address": b.ipv4 if family == 4 else b.ipv6, **own} for b in hosts]}


@contextlib.contextmanager
def extra_services(documents: list[dict], vips: list[str]) -> Iterator[None]:
    """Services beside the lab's: forwarded, carried by the nodes and routed over both gateways within the block."""
    try:
        for document in documents:
            rest.call("PUT", f"/services/{document['id']}", document)
        processes.wait_for_generation()
        processes.wait_for_nodes({d["vip"] for d in documents if d["encap"] != "nat"})
        names = [g.name for g in GATEWAYS]
        for vip in vips:
            wait_until(f"a route at the router to {vip} over {' and '.join(names)}",
                       lambda vip=vip: network.gateway_next_hops(vip) == names, 10)
        yield
    finally:
        for document in documents:
            with contextlib.suppress(LabError):
                rest.call("DELETE", f"/services/{document['id']}")
        processes.wait_for_generation()
