"""penstock-traffic in the client's namespace, and its records as they come in."""
from __future__ import annotations

import json
import subprocess
import threading
import time
from typing import Sequence

from .analysis import Record
from .system import BUILD, LOGS, LabError, in_namespace
from .topology import CLIENT, VIP4, VIP6

PROGRAM = BUILD / "tests/penstock-traffic"


class Client:
    """Runs from start() to stop(). records() may be called at any time from any thread."""

    def __init__(self, *, http_rate: float = 240, udp_rate: float = 80, long_lived: int = 24,
                 http: Sequence[str] = (f"{VIP4}:80", f"[{VIP6}]:80"),
                 udp: Sequence[str] = (f"{VIP4}:7", f"[{VIP6}]:7"), more: Sequence[str] = ()):
        """more: further flags of penstock-traffic."""
        targets = [word for target in http for word in ("--http", target)]
        targets += [word for target in udp for word in ("--udp", target)]
        self._command = in_namespace(CLIENT.namespace, [
            str(PROGRAM), *targets, "--http-rate", str(http_rate), "--udp-rate", str(udp_rate),
            "--long-lived", str(long_lived), *more])
        self._records: list[Record] = []
        self._lock = threading.Lock()
        self._process: subprocess.Popen | None = None
        self.began = 0.0

    def start(self) -> None:
        if not PROGRAM.exists():
            raise LabError(f"{PROGRAM} is missing: build first", 69)
        log = open(LOGS / "client.log", "ab")
        self.began = time.monotonic()
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                                         text=True)
        log.close()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self._process.stdout:
            batch = [Record(*item) for item in json.loads(line).get("requests", [])]
            with self._lock:
                self._records += batch

    def records(self, since: int = 0) -> list[Record]:
        """All records so far, from the given index on."""
        with self._lock:
            return self._records[since:]

    def retire(self, backend: str) -> None:
        """Lets go of the long-lived connections to a backend, between two requests of each."""
        self._tell(f"retire {backend}")

    def _tell(self, line: str) -> None:
        self.require_alive()
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def require_alive(self) -> None:
        if self._process.poll() is not None:
            raise LabError(f"penstock-traffic ended with {self._process.returncode}: see {LOGS}/client.log")

    def stop(self) -> list[Record]:
        """No new request; waits for what is under way. Returns every record."""
        if self._process.poll() is None:
            self._tell("stop")
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise LabError("penstock-traffic did not end within 15 s") from None
        self._reader.join(5)
        return self.records()

    def kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
