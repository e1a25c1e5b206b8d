"""Watches the weights of a service: what the dataplanes use, many times a second, and why, a few times a second."""
from __future__ import annotations

import http.client
import json
import threading
import time

from . import rest
from .weight_analysis import Sample

_INTERVAL = 0.02
# Explanations are large, and change once in a period of the weight loop.
_EXPLAIN_EVERY = 5


class WeightWatch:
    """Runs from start() to stop(). What gateways use is told to the control plane every 100 ms: samples are up to that
    much late, never early."""

    def __init__(self, service: str):
        self._service = service
        self._samples: list[Sample] = []
        self._reasons: list[tuple[float, dict]] = []
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._error: Exception | None = None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(5)

    def samples(self, since: float, until: float = float("inf")) -> list[Sample]:
        """One per gateway and look."""
        self._complain()
        return [s for s in self._samples if since <= s.at < until]

    def last_shares(self) -> dict[str, float]:
        self._complain()
        return self._samples[-1].shares

    def reasons(self, since: float, until: float = float("inf")) -> list[tuple[float, dict]]:
        """When, and the document of weights:explain."""
        self._complain()
        return [r for r in self._reasons if since <= r[0] < until]

    def _complain(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            rest.enter_namespace()
            self._look()
        except Exception as e:  # handed to who asks for samples
            self._error = e

    def _look(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", rest.PORT, timeout=5)
        looks = 0
        while not self._ending.wait(_INTERVAL):
            stats = _get(connection, f"/services/{self._service}/stats")
            now = time.monotonic()
            for gateway in stats["gateways"]:
                weights = {b["backend"]: b["weight"] for b in gateway["backends"] if b["weight"] is not None}
                if gateway["connected"] and sum(weights.values()) > 0:
                    shares = {name: weight / sum(weights.values()) for name, weight in weights.items()}
                    self._samples.append(Sample(now, gateway["gateway"], shares, weights))
            if looks % _EXPLAIN_EVERY == 0:
                self._reasons.append((now, _get(connection, f"/services/{self._service}/weights:explain")))
            looks += 1


def _get(connection: http.client.HTTPConnection, path: str) -> dict:
    connection.request("GET", "/api/v1" + path)
    return json.loads(connection.getresponse().read())
