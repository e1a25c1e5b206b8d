"""Running commands in namespaces, and waiting for conditions instead of sleeping."""
from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable

ROOT = Path(__file__).resolve().parents[2]
# ctest names the build that it tests; a person at the terminal means the release build.
BUILD = Path(os.environ.get("PENSTOCK_BUILD", ROOT / "build/release"))
# A gateway host has cores of its own for the dataplane and its watchdogs (heartbeat, BFD). Here they share two
# with clients, backends and whatever else runs, and a false alarm would break connections.
GATEWAY_PRIORITY = ["nice", "-n", "-15"]
RUN = Path("/run/penstock-lab")
LOGS = RUN / "log"


class LabError(Exception):
    """One sentence for the person at the terminal; code is the process's exit code (sysexits)."""

    def __init__(self, message: str, code: int = 1):
        super().__init__(message)
        self.code = code


def say(message: str) -> None:
    print(message, flush=True)


def in_namespace(ns: str, command: list[str]) -> list[str]:
    # nsenter and not "ip netns exec": the latter mounts a fresh /sys and so hides /sys/fs/bpf.
    return ["nsenter", f"--net=/var/run/netns/{ns}", "--", *command]


def run(command: list[str], *, ns: str | None = None, check: bool = True, timeout: float = 30,
        input_text: str | None = None) -> str:
    """Runs a command to its end and returns its standard output. check: a failure raises LabError."""
    full = in_namespace(ns, command) if ns else command
    try:
        done = subprocess.run(full, capture_output=True, text=True, timeout=timeout, input=input_text)
    except FileNotFoundError as e:
        raise LabError(f"{e.filename} is not installed: run scripts/install-deps.sh", 69) from e
    except subprocess.TimeoutExpired as e:
        raise LabError(f"'{' '.join(full)}' did not end within {timeout:.0f} s") from e
    if check and done.returncode != 0:
        where = f" in {ns}" if ns else ""
        raise LabError(f"'{' '.join(command)}'{where} failed: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def spawn(name: str, command: list[str], *, ns: str, env: dict[str, str] | None = None) -> int:
    """Starts a long-running process of the lab; output goes to log/NAME.log, its pid to NAME.pid."""
    LOGS.mkdir(parents=True, exist_ok=True)
    with open(LOGS / f"{name}.log", "ab") as log:
        process = subprocess.Popen(in_namespace(ns, command), stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                   start_new_session=True, env={**os.environ, **(env or {})}, cwd="/")
    (RUN / f"{name}.pid").write_text(f"{process.pid}\n")
    return process.pid


def pid_of(name: str) -> int | None:
    """The pid of a process that spawn() started, while it lives."""
    try:
        pid = int((RUN / f"{name}.pid").read_text())
    except (OSError, ValueError):
        return None
    return None if ended(pid) else pid


def stop(name: str, *, deadline_seconds: float = 5) -> None:
    """SIGTERM, then SIGKILL after the deadline. Silent when the process is already gone."""
    pid = pid_of(name)
    if pid is None:
        return
    os.kill(pid, signal.SIGTERM)
    try:
        wait_until(f"{name} to end", lambda: ended(pid), deadline_seconds)
    except LabError:
        os.kill(pid, signal.SIGKILL)


def reap() -> None:
    """Collects our own ended children, so that they do not look alive."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0] != 0:
            pass
    except ChildProcessError:
        pass


def namespace_pids(ns: str) -> list[int]:
    out = subprocess.run(["ip", "netns", "pids", ns], capture_output=True, text=True).stdout
    return [int(p) for p in out.split()]


def kill_namespace(ns: str, sig: signal.Signals) -> list[int]:
    """Signals every process that lives in a namespace; returns which."""
    pids = namespace_pids(ns)
    for pid in pids:
        try:
            os.kill(pid, sig)
        except ProcessLookupError:
            pass
    return pids


def ended(pid: int) -> bool:
    """Whether nothing of it runs any more. It leaves its namespace earlier than that.

    Its last thread counts: as long as one lives, it holds the sockets and locks that a successor wants.
    """
    reap()
    try:
        main_ended = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] in "ZX"
        return main_ended and len(os.listdir(f"/proc/{pid}/task")) <= 1
    except (OSError, IndexError):
        return True


def wait_until(what: str, condition: Callable[[], object], deadline_seconds: float, *,
               logs: list[str] | None = None, alive: list[str] | None = None, interval: float = 0.05) -> float:
    """Waits until the condition is true and returns how long that took, in seconds.

    alive: processes without which waiting is pointless. On failure the sentence names the condition, and
    the last lines of the given logs follow it.
    """
    start = time.monotonic()
    while True:
        if condition():
            return time.monotonic() - start
        dead = [n for n in alive or [] if pid_of(n) is None]
        elapsed = time.monotonic() - start
        if dead or elapsed > deadline_seconds:
            reason = f"{', '.join(dead)} ended" if dead else f"not within {deadline_seconds:.0f} s"
            raise LabError(f"waited for {what}: {reason}.{_tails((logs or []) + dead)}")
        time.sleep(interval)


def _tails(names: list[str], lines: int = 8) -> str:
    text = ""
    for name in dict.fromkeys(names):
        path = LOGS / f"{name}.log"
        tail = path.read_text(errors="replace").splitlines()[-lines:] if path.exists() else []
        text += f"\n  {path}:" + "".join(f"\n    {line}" for line in tail or ["(empty)"])
    return text


def require_root() -> None:
    if os.geteuid() != 0:
        raise LabError("the lab needs root for network namespaces, hugepages and XDP: run it with sudo", 77)


def fail(error: LabError) -> int:
    print(f"penstock-lab: {error}", file=sys.stderr, flush=True)
    return error.code
