"""The lab's REST client: a few lines over http.client inside the control plane's namespace."""
from __future__ import annotations

import ctypes
import http.client
import json
import os
import threading
from typing import Any

from .system import LabError
from .topology import CTL

PORT = 7780
_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class Refused(LabError):
    """The server answered with a problem document (RFC 9457)."""

    def __init__(self, status: int, problem: dict):
        self.status, self.problem = status, problem
        fields = "; ".join(f"{e.get('field')}: {e.get('detail')}" for e in problem.get("errors", []))
        super().__init__(f"{status} {problem.get('title', '')}: {fields or problem.get('detail', '')}")


def call(method: str, path: str, body: Any = None, timeout: float = 5) -> Any:
    """One request to /api/v1; returns the decoded document. Raises Refused on 4xx and 5xx, OSError if unreachable."""
    box: dict[str, Any] = {}

    # A thread of its own enters the namespace, and ends with the call.
    def worker() -> None:
        try:
            box["answer"] = _call(method, path, body, timeout)
        except Exception as e:  # handed to the caller below
            box["error"] = e

    thread = threading.Thread(target=worker)
    thread.start()
    thread.join()
    if "error" in box:
        raise box["error"]
    return box["answer"]


def enter_namespace() -> None:
    """The calling thread, for as long as it lives, is where REST answers: setns(2) is per thread."""
    with open(f"/var/run/netns/{CTL.namespace}") as ns:
        if _libc.setns(ns.fileno(), _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {CTL.namespace}: {os.strerror(ctypes.get_errno())}")


def _call(method: str, path: str, body: Any, timeout: float) -> Any:
    enter_namespace()
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=timeout)
    headers = {"Connection": "close"}
    payload = None
    if body is not None:
        payload = json.dumps(body)
        headers["Content-Type"] = "application/merge-patch+json" if method == "PATCH" else "application/json"
    connection.request(method, "/api/v1" + path, payload, headers)
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    document = json.loads(text) if text else {}
    if response.status >= 400:
        raise Refused(response.status, document)
    return document


def answers() -> bool:
    try:
        call("GET", "/status", timeout=1)
        return True
    except (OSError, LabError, ValueError):
        return False
