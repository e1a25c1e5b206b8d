#!/usr/bin/python3
"""Holds the tree to its map: include arrows, who may see DPDK, one README per room, a fixed top level."""
import re
import subprocess
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Room -> rooms whose headers it may include besides its own and include/penstock. An arrow that is not here
# does not exist; adding one is a decision about the design, not about a build error.
_HASH_STATS = {"dataplane/hash", "dataplane/stats"}
_CONFIG = _HASH_STATS | {"dataplane/flow", "dataplane/quic", "dataplane/config"}
ARROWS = {
    "dataplane/hash": set(),
    "dataplane/stats": set(),
    "dataplane/flow": _HASH_STATS,
    "dataplane/quic": {"dataplane/hash", "dataplane/flow"},
    "dataplane/config": _HASH_STATS | {"dataplane/flow", "dataplane/quic"},
    "dataplane/netlink": _CONFIG,  # answers questions that config asks (next hops)
    "dataplane/own": _CONFIG,
    "dataplane/fragment": {"dataplane/hash"},
    "dataplane/nat": _HASH_STATS | {"dataplane/flow"},
    "dataplane/sync": _CONFIG | {"dataplane/nat"},
    "dataplane/pipeline": _CONFIG | {"dataplane/fragment", "dataplane/nat", "dataplane/own"},
    "dataplane/restart": _CONFIG,
    "dataplane/dpdk": _CONFIG | {"dataplane/own", "dataplane/pipeline", "dataplane/restart", "dataplane/netlink", "dataplane/nat"},
    "dataplane/probe": _CONFIG | {"dataplane/own"},
    "dataplane/control": _CONFIG | {"dataplane/sync", "dataplane/pipeline", "dataplane/probe"},
    "controlplane/model": set(),
    "controlplane/store": {"controlplane/model"},
    "controlplane/announce": {"controlplane/model"},
    "controlplane/health": {"controlplane/model"},
    "controlplane/load": {"controlplane/model"},
    "controlplane/simulation": {"controlplane/load"},  # hashing comes in by an interface: perf and tests join the halves
    "controlplane/stream": {"controlplane/model", "controlplane/store", "controlplane/health", "controlplane/load"},
    "controlplane/api": {"controlplane/model", "controlplane/store", "controlplane/health", "controlplane/load",
                         "controlplane/stream"},
    "controlplane/gateway": {"controlplane/announce"},
    "controlplane/ctl": set(),  # a REST client and nothing more
    "bpf/agent": set(),
    "include": set(),
}
PRODUCT = ("dataplane", "controlplane", "bpf", "include")
TOP_LEVEL = {
    "CMakeLists.txt", "CMakePresets.json", "LICENSE", "README.md", "bpf", "controlplane", "dataplane", "include",
    "perf", "scripts", "tests", ".ci", ".clang-format", ".clang-tidy", ".gitignore",
}
_SOURCE = {".h", ".cc", ".c"}
_INCLUDE = re.compile(r'^\s*#\s*include\s+[<"]([^">]+)[">]', re.M)


def tracked_files() -> list[Path]:
    """What git knows, or would know: files of the tree without build results."""
    out = subprocess.run(["git", "-c", f"safe.directory={ROOT}", "-C", str(ROOT), "ls-files", "--cached", "--others",
                          "--exclude-standard"], capture_output=True, text=True, check=True).stdout
    return [Path(line) for line in out.splitlines() if (ROOT / line).exists()]


def sources() -> list[tuple[Path, list[str]]]:
    return [(p, _INCLUDE.findall((ROOT / p).read_text(errors="replace"))) for p in tracked_files()
            if p.suffix in _SOURCE and p.parts[0] in PRODUCT]


def room(path: str) -> str | None:
    """dataplane/flow/flow_table.h -> dataplane/flow; include/penstock/... -> include; main.cc -> None."""
    parts = path.split("/")
    if parts[0] in ("include", "penstock"):
        return "include"
    return "/".join(parts[:2]) if parts[0] in PRODUCT and len(parts) > 2 else None


def against_the_arrows(path: str, included: str) -> bool:
    """Whether a source file may not include this header. main.cc of a process may include every room of its half."""
    target = room(included)
    if target is None or target == "include":
        return False
    here = room(path)
    if here is None:
        return path.split("/")[0] != included.split("/")[0]
    return target != here and target not in ARROWS.get(here, set())


class IncludeArrows(unittest.TestCase):
    def test_no_include_runs_against_an_arrow(self):
        wrong = [f"{p} includes {i}" for p, includes in sources() for i in includes
                 if against_the_arrows(str(p), i)]
        self.assertEqual(wrong, [])

    def test_every_room_has_its_arrows_declared(self):
        rooms = {room(str(p)) for p, _ in sources()} - {None}
        self.assertEqual(rooms - ARROWS.keys(), set())

    def test_the_check_sees_a_wrong_include(self):
        self.assertTrue(against_the_arrows("dataplane/flow/a.cc", "dataplane/pipeline/stages.h"))
        self.assertTrue(against_the_arrows("dataplane/main.cc", "controlplane/model/rules.h"))
        self.assertTrue(against_the_arrows("controlplane/ctl/a.cc", "controlplane/model/rules.h"))
        self.assertTrue(against_the_arrows("include/penstock/base/a.h", "dataplane/flow/flow_table.h"))
        self.assertFalse(against_the_arrows("dataplane/pipeline/a.cc", "dataplane/flow/flow_table.h"))
        self.assertFalse(against_the_arrows("dataplane/main.cc", "dataplane/dpdk/worker.h"))

    def test_only_dataplane_dpdk_sees_dpdk(self):
        wrong = [f"{p} includes {i}" for p, includes in sources() for i in includes
                 if re.match(r"(rte_|cmdline)", i) and room(str(p)) != "dataplane/dpdk"]
        self.assertEqual(wrong, [])


class Folders(unittest.TestCase):
    def test_every_room_has_a_readme(self):
        folders = {p.parent for p in tracked_files() if p.suffix in _SOURCE | {".py", ".sh"}}
        # include/ and tests/unit each explain all that is below them; hidden folders hold one file each.
        rooms = {f for f in folders if f.parts[0] not in ("include",) and f.parts[:2] != ("tests", "unit")
                 and not f.parts[0].startswith(".")}
        rooms |= {Path(p) for p in PRODUCT} | {Path(p) for p in ("perf", "tests", "scripts")}
        without = sorted(str(f) for f in rooms if not (ROOT / f / "README.md").exists())
        self.assertEqual(without, [])

    def test_the_top_level_is_fixed(self):
        found = {p.parts[0] for p in tracked_files()}
        self.assertEqual(found - TOP_LEVEL, set())


if __name__ == "__main__":
    unittest.main()
