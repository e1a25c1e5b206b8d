"""penstock-work on the backends: web servers whose speed and health a scenario sets."""
from __future__ import annotations

import os
import signal
from typing import Sequence

from .system import BUILD, RUN, LabError, pid_of, run, spawn, stop, wait_until
from .topology import BACKENDS, Host

_PROGRAM = BUILD / "tests/penstock-work"


class WorkServers:
    """One server per backend, of the given ones, and port, from start() to stop_all()."""

    def __init__(self, hosts: Sequence[Host] = BACKENDS) -> None:
        self._hosts = hosts
        self._ports: dict[int, list[str]] = {}

    def start(self, port: int, *, slots: int = 8, service_ms: float = 1, cpu_us: int = 0) -> None:
        if not _PROGRAM.exists():
            raise LabError(f"{_PROGRAM} is missing: build first", 69)
        self._ports[port] = ["--slots", str(slots), "--service-us", str(int(service_ms * 1000)),
                             "--cpu-us", str(cpu_us)]
        for h in self._hosts:
            self.revive(h, port)
        for h in self._hosts:
            wait_until(f"{_name(h, port)} to listen", lambda h=h: _listens(h, port), 10, alive=[_name(h, port)])

    def revive(self, h: Host, port: int) -> None:
        self._write(h, port, {})
        spawn(_name(h, port), [str(_PROGRAM), "--name", h.name, "--port", str(port), *self._ports[port], "--control",
                               str(_control(h, port))], ns=h.namespace)

    def behave(self, h: Host, port: int, **values: int) -> None:
        """listening, healthy: 0 or 1; extra_ms. What is not named is as it should be. In force within a millisecond."""
        self._write(h, port, values)
        self.signal(h, port, signal.SIGHUP)

    def pid(self, h: Host, port: int) -> int:
        return pid_of(_name(h, port))

    def signal(self, h: Host, port: int, which: signal.Signals) -> None:
        os.kill(self.pid(h, port), which)

    def stop_all(self) -> None:
        for port in self._ports:
            for h in self._hosts:
                pid = pid_of(_name(h, port))
                if pid is not None:
                    os.kill(pid, signal.SIGCONT)
                    stop(_name(h, port))
        self._ports.clear()

    @staticmethod
    def _write(h: Host, port: int, values: dict[str, int]) -> None:
        path = _control(h, port)
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.write_text("".join(f"{name} {value}\n" for name, value in values.items()))
        fresh.replace(path)


def _name(h: Host, port: int) -> str:
    return f"{h.name}-work{port}"


def _control(h: Host, port: int):
    return RUN / "work" / f"{h.name}-{port}"


def _listens(h: Host, port: int) -> bool:
    return len(run(["ss", "-Htln", "sport", "=", f":{port}"], ns=h.namespace).splitlines()) >= 2
