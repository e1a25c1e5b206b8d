#!/usr/bin/python3
"""The lab's own promises: it comes and goes without a trace, once at a time, whatever interrupts it.

Run with the name of one test class as argument; ctest does so, see CMakeLists.txt.
"""
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LAB = str(ROOT / "scripts/lab.sh")
_PROGRAMS = ("penstock-", "nginx", "zebra", "bgpd", "bfdd")


def traces() -> dict[str, object]:
    """Everything by which a lab could be noticed."""
    namespaces = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True).stdout.split("\n")
    commands = []
    for entry in Path("/proc").iterdir():
        try:
            name = (entry / "comm").read_text().strip() if entry.name.isdigit() else ""
            # An ended process that init has not collected yet is none of the lab's.
            ended = bool(name) and (entry / "stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
        except OSError:
            continue
        if name.startswith(_PROGRAMS) and not ended:
            commands.append(name)
    links = json.loads(subprocess.run(["ip", "-j", "link"], capture_output=True, text=True).stdout)
    return {
        "namespaces": sorted(n.split()[0] for n in namespaces if n.startswith("penstock-")),
        "processes": sorted(commands),
        "links": sorted(link["ifname"] for link in links),
        "hugepages": Path("/proc/sys/vm/nr_hugepages").read_text(),
        "mounts": sorted(line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()),
        "cgroups": sorted(str(p) for depth in ("", "*/") for p in Path("/sys/fs/cgroup").glob(f"{depth}penstock-lab*")),
        "folders": sorted(str(p) for folder in ("/etc/frr", "/var/run/frr", "/sys/fs/bpf", "/run", "/dev/shm")
                          for p in Path(folder).glob("*penstock*") if p.name != "penstock-lab.lock"),
    }


def processes_of_the_lab() -> list[int]:
    return [int(pid) for ns in traces()["namespaces"] for pid in
            subprocess.run(["ip", "netns", "pids", ns], capture_output=True, text=True).stdout.split()]


def lab(*arguments: str, timeout: float = 120) -> subprocess.CompletedProcess:
    return subprocess.run([LAB, *arguments], capture_output=True, text=True, timeout=timeout)


class LeavesNothing(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.assertEqual(lab("status").returncode, 69, "another lab is up: scripts/lab.sh down")
        lab("down")  # what an interrupted run may have left
        self.before = traces()
        self.assertEqual(self.before["namespaces"], [])

    def test_the_demo_holds_and_leaves_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            result = Path(folder) / "demo.json"
            done = subprocess.run([sys.executable, "-B", "-m", "lab.demo", "--seconds", "35", "--json", str(result)],
                                  cwd=ROOT / "scripts", timeout=240)
            self.assertEqual(done.returncode, 0)
            document = json.loads(result.read_text())
        self.assertTrue(document["figures"])
        self.assertTrue(all(f["pass"] for f in document["figures"]))
        self.assertIn("kernel", document["host"])
        self.assertEqual(traces(), self.before)

    def test_a_lab_killed_while_it_starts_is_cleared_by_down(self):
        starting = subprocess.Popen([LAB, "up"], stdout=subprocess.PIPE, text=True)
        # The third line of progress: namespaces, FRR, nginx and our own processes exist by then.
        for _ in range(3):
            self.assertTrue(starting.stdout.readline())
        starting.send_signal(signal.SIGKILL)
        starting.wait()
        starting.stdout.close()
        self.assertNotEqual(traces(), self.before)
        self.assertEqual(lab("down").returncode, 0)
        self.assertEqual(traces(), self.before)

    def test_a_lab_whose_processes_died_with_their_session_is_no_lab(self):
        self.assertEqual(lab("up").returncode, 0)
        self.assertTrue(processes_of_the_lab())
        while left := processes_of_the_lab():  # until the kernel has ended them all
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        # Same answer as without any lab; the next one clears it, as `up` does.
        self.assertEqual(lab("status").returncode, 69)
        self.assertEqual(lab("down").returncode, 0)
        self.assertEqual(traces(), self.before)

    def test_down_without_a_lab_is_no_error(self):
        self.assertEqual(lab("down").returncode, 0)
        self.assertEqual(traces(), self.before)


class OneAtATime(unittest.TestCase):
    """Needs a lab that is up."""

    def test_a_second_lab_is_refused_and_the_first_goes_on(self):
        before = traces()
        second = lab("up")
        self.assertEqual(second.returncode, 75)
        self.assertIn("already up", second.stderr)
        self.assertEqual(traces(), before)
        self.assertEqual(lab("status").returncode, 0)


class BadUse(unittest.TestCase):
    """Needs a lab that is up."""

    def test_an_unknown_namespace_is_refused_by_name(self):
        done = lab("exec", "nowhere", "true")
        self.assertEqual(done.returncode, 64)
        self.assertIn("nowhere", done.stderr)

    def test_an_unknown_scenario_is_refused_with_the_list(self):
        done = lab("scenario", "nothing")
        self.assertEqual(done.returncode, 64)
        self.assertIn("gateway-death", done.stderr)

    def test_without_root_one_sentence_says_so(self):
        if os.geteuid() != 0:
            self.skipTest("already not root")
        # As nobody, through a copy of the working directory's permissions: the check comes before anything else.
        done = subprocess.run(["setpriv", "--reuid", "65534", "--clear-groups", "/usr/bin/python3", "-B", "-c",
                               "import sys; sys.path.insert(0, sys.argv[1]); from lab import system\n"
                               "try: system.require_root()\n"
                               "except system.LabError as e: print(e); sys.exit(e.code)", str(ROOT / "scripts")],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 77)
        self.assertIn("sudo", done.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
