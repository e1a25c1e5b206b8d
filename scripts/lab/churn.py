"""Weights that change all the time."""
from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from . import rest
from .system import LabError
from .topology import BACKENDS, SERVICES

_PER_SECOND = 10


class WeightChurn:
    """Within the block, the weights of all backends of all services change ten times a second, by REST."""

    def __init__(self) -> None:
        self.seed = random.randrange(1 << 30)
        self.rounds = 0
        self.failed = 0
        self._random = random.Random(self.seed)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._churn, daemon=True)

    def __enter__(self) -> WeightChurn:
        self._began = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    @property
    def rounds_per_second(self) -> float:
        return self.rounds / (time.monotonic() - self._began)

    def _churn(self) -> None:
        with ThreadPoolExecutor(len(SERVICES)) as pool:
            due = time.monotonic()
            while not self._ending.wait(max(0.0, due - time.monotonic())):
                due += 1 / _PER_SECOND
                weights = {b.name: self._random.randint(1, 100) for b in BACKENDS}
                self.failed += sum(pool.map(lambda s: self._refused(s, weights), SERVICES))
                self.rounds += 1

    @staticmethod
    def _refused(service, weights: dict[str, int]) -> bool:
        try:
            rest.call("PUT", f"/services/{service.id}", service.document(weights))
            return False
        except (OSError, LabError):
            return True
