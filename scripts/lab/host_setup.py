"""What the lab borrows from the machine and gives back: hugepages, and mounts that were not there."""
from __future__ import annotations

import json
from pathlib import Path

from .system import RUN, LabError, run

_STATE = RUN / "host.json"
_NR = Path("/proc/sys/vm/nr_hugepages")
# Three dataplanes of 128 MB each, and what DPDK keeps for itself, in pages of 2 MB.
_PAGES = 320


def prepare() -> None:
    _require_kernel()
    state = {"hugepages": 0, "mounts": []}
    before = int(_NR.read_text())
    _NR.write_text(f"{before + _PAGES}\n")
    state["hugepages"] = int(_NR.read_text()) - before
    _STATE.write_text(json.dumps(state))
    if state["hugepages"] < _PAGES:
        raise LabError(f"the kernel gave {state['hugepages']} of {_PAGES} hugepages of 2 MB: free some memory "
                       "or reboot", 69)
    if not _mounted("/sys/fs/bpf"):
        run(["mount", "-t", "bpf", "bpf", "/sys/fs/bpf"])
        state["mounts"].append("/sys/fs/bpf")
        _STATE.write_text(json.dumps(state))


def restore() -> None:
    if not _STATE.exists():
        return
    state = json.loads(_STATE.read_text())
    # Subtracting instead of writing the old number leaves alone what others reserved meanwhile.
    _NR.write_text(f"{max(0, int(_NR.read_text()) - state['hugepages'])}\n")
    for mount in state["mounts"]:
        run(["umount", mount], check=False)
    _STATE.unlink()


def _mounted(path: str) -> bool:
    return any(line.split()[1] == path for line in Path("/proc/mounts").read_text().splitlines())


def _require_kernel() -> None:
    if not Path("/sys/kernel/btf/vmlinux").exists():
        raise LabError("this kernel has no BTF (/sys/kernel/btf/vmlinux): XDP programs cannot be loaded; "
                       "use a kernel with CONFIG_DEBUG_INFO_BTF", 69)
    probe = "penstock-probe"
    made = run(["sh", "-c", f"ip netns add {probe} && ip link add v0 netns {probe} type veth peer name v1 netns "
                f"{probe} && echo yes; ip netns del {probe}"], check=False)
    if "yes" not in made:
        raise LabError("this kernel or container allows no network namespaces with veth links: run on a host or a "
                       "privileged VM", 69)
