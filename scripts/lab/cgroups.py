"""What a host of the lab may use of the CPU: a cgroup with a quota each, of whichever version this machine has.

    penstock-lab/HOST           the quota; what penstock-node is told to be the service's
    penstock-lab/HOST/service   the service's processes
    penstock-lab/HOST/neighbour others that share the host with it, with a quota of their own

Version 1 keeps quotas and usage in two hierarchies, which may be one. Found by name, so that nothing has to remember
that they exist.
"""
from __future__ import annotations

import contextlib
from pathlib import Path

from .system import LabError, wait_until

SERVICE, NEIGHBOUR = "service", "neighbour"
_MOUNT = Path("/sys/fs/cgroup")
_TOP = "penstock-lab"
# Five periods in the 100 ms between two looks of penstock-node, so that a look does not see where in a period it is. No
# shorter: a quota is 1 ms at least.
_PERIOD_US = 20_000


def path(host: str) -> str:
    """Of a host's cgroup below the mount point, as penstock-node takes it."""
    return f"/{_TOP}/{host}"


def create(host: str, cpus: float) -> None:
    """The host's cgroup and the two in it; `cpus` is what all in it may use together."""
    for root in _roots():
        for folder in (root / _TOP, root / _TOP / host):
            folder.mkdir(exist_ok=True)
        if _is_version_2(root):
            for folder in (root, root / _TOP, root / _TOP / host):
                _write(folder / "cgroup.subtree_control", "+cpu")
        for name in (SERVICE, NEIGHBOUR):
            (root / _TOP / host / name).mkdir(exist_ok=True)
    # The quota is what holds a host back, and not whatever else this machine does.
    if _is_version_2(_roots()[0]):
        _write(_roots()[0] / _TOP / "cpu.weight", "10000")
    else:
        _write(_roots()[0] / _TOP / "cpu.shares", "102400")
    limit(host, cpus)


def limit(host: str, cpus: float, part: str = "") -> None:
    """Changes what a host, or a part of it, may use."""
    folder = _roots()[0] / _TOP / host / part
    if _is_version_2(_roots()[0]):
        _write(folder / "cpu.max", f"{int(cpus * _PERIOD_US)} {_PERIOD_US}")
    else:
        _write(folder / "cpu.cfs_period_us", str(_PERIOD_US))
        _write(folder / "cpu.cfs_quota_us", str(int(cpus * _PERIOD_US)))


def put(host: str, part: str, pid: int) -> None:
    for root in _roots():
        _write(root / _TOP / host / part / "cgroup.procs", str(pid))


def used_seconds(host: str, part: str = "") -> float:
    """Processor time that a host, or a part of it, has used so far."""
    folder = _roots()[-1] / _TOP / host / part
    if _is_version_2(_roots()[0]):
        usage = next(line for line in (folder / "cpu.stat").read_text().splitlines() if line.startswith("usage_usec"))
        return int(usage.split()[1]) / 1e6
    return int((folder / "cpuacct.usage").read_text()) / 1e9


def remove() -> None:
    """All of them. Their processes have ended, or are about to."""
    for root in _roots():
        top = root / _TOP
        if top.exists():
            wait_until(f"the cgroup {top} to be empty", lambda top=top: _removed(top), 10)


def _removed(top: Path) -> bool:
    """A cgroup's files go with it: only the folders in it are in the way, the deepest first."""
    folders = [p for p in top.rglob("*") if p.is_dir()]
    for folder in [*sorted(folders, key=lambda p: -len(p.parts)), top]:
        with contextlib.suppress(OSError):
            folder.rmdir()
    return not top.exists()


def _roots() -> list[Path]:
    """The hierarchy with the quotas first, the one with the usage last; it may be the same."""
    if (_MOUNT / "cpu/cgroup.procs").exists():
        roots = [_MOUNT / "cpu", _MOUNT / "cpuacct"]
        return roots if roots[0].resolve() != roots[1].resolve() else roots[:1]
    return [_MOUNT]


def _is_version_2(root: Path) -> bool:
    return (root / "cgroup.controllers").exists()


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text)
    except OSError as e:
        raise LabError(f"this host or container lets nobody set CPU quotas ({file}: {e.strerror}): run on a host or a "
                       "privileged VM", 69) from e
