"""penstock-flows in the client's namespace: thousands of flows that a scenario must not break."""
from __future__ import annotations

import json
import subprocess
import threading

from . import flow_report
from .flow_report import Report
from .system import BUILD, LOGS, LabError, in_namespace, wait_until
from .topology import CLIENT

PROGRAM = BUILD / "tests/penstock-flows"


class Flows:
    """Runs from start() to stop(). tcp, udp, downloads: targets as ADDRESS:PORT, over which the flows are spread."""

    def __init__(self, *, tcp: list[str], udp: list[str], downloads: list[str], connections: int, sessions: int,
                 download_count: int):
        self.connections = connections
        # Opened over whole seconds, so that their messages, one a second, come evenly.
        open_rate = min(connections, 1000)
        self._command = in_namespace(CLIENT.namespace, [
            str(PROGRAM), *_repeat("--tcp", tcp), *_repeat("--udp", udp), *_repeat("--download", downloads),
            "--connections", str(connections), "--open-rate", str(open_rate), "--sessions", str(sessions),
            "--downloads", str(download_count)])
        self._reports: dict[str, Report] = {}
        self._asked = 0
        self._process: subprocess.Popen | None = None

    def start(self) -> Report:
        """Returns when every connection is open, or broken."""
        if not PROGRAM.exists():
            raise LabError(f"{PROGRAM} is missing: build first", 69)
        log = open(LOGS / "flows.log", "ab")
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                                         text=True)
        log.close()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self._wait_for("open", 60)

    def mark(self) -> None:
        """Gaps, losses and retransmissions count from here on."""
        self._tell("mark")

    def report(self) -> Report:
        self._asked += 1
        tag = f"r{self._asked}"
        self._tell(f"report {tag}")
        return self._wait_for(tag, 10)

    def retire(self, backend: str) -> None:
        """Ends the flows of a backend politely and opens others instead."""
        self._tell(f"retire {backend}")

    def stop(self) -> Report:
        """Waits for what is under way; returns the last report."""
        self._tell("stop")
        last = self._wait_for("stop", 30)
        self._process.wait(10)
        return last

    def require_alive(self) -> None:
        if self._process.poll() is not None:
            raise LabError(f"penstock-flows ended with {self._process.returncode}: see {LOGS}/flows.log")

    def kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def _read(self) -> None:
        for line in self._process.stdout:
            report = flow_report.parse(json.loads(line))
            self._reports[report.tag] = report

    def _tell(self, line: str) -> None:
        self.require_alive()
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _wait_for(self, tag: str, deadline_seconds: float) -> Report:
        wait_until(f"the report '{tag}' of penstock-flows", lambda: tag in self._reports, deadline_seconds,
                   logs=["flows"])
        return self._reports.pop(tag)


def _repeat(flag: str, values: list[str]) -> list[str]:
    return [word for value in values for word in (flag, value)]
