"""Named figures with targets and the host they were measured on: the JSON of every result, the benchmarks' too."""
from __future__ import annotations

import json
import os
import platform
import subprocess
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from .system import ROOT


@dataclass
class Figure:
    name: str
    value: float
    unit: str
    at_most: float | None = None
    at_least: float | None = None

    @property
    def target(self) -> str | None:
        if self.at_most is not None:
            return f"<= {self.at_most:g}"
        return f">= {self.at_least:g}" if self.at_least is not None else None

    @property
    def passed(self) -> bool:
        return ((self.at_most is None or self.value <= self.at_most)
                and (self.at_least is None or self.value >= self.at_least))


@dataclass
class Figures:
    suite: str
    items: list[Figure] = field(default_factory=list)

    def add(self, name: str, value: float, unit: str, *, at_most: float | None = None,
            at_least: float | None = None) -> None:
        self.items.append(Figure(name, value, unit, at_most, at_least))

    @property
    def all_passed(self) -> bool:
        return all(f.passed for f in self.items)

    def table(self) -> str:
        width = max(len(f.name) for f in self.items)
        lines = []
        for f in self.items:
            verdict = f"  target {f.target:9} {'met' if f.passed else 'MISSED'}" if f.target else ""
            lines.append(f"{f.name:{width}} {round(f.value, 3):>10g} {f.unit:20}{verdict}".rstrip())
        return "\n".join(lines)

    def write(self, path: str) -> None:
        figures = [{"name": f.name, "value": round(f.value, 6), "unit": f.unit, "target": f.target,
                    "pass": f.passed} for f in self.items]
        document = {"suite": self.suite, "host": fingerprint(), "figures": figures}
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(json.dumps(document, indent=2) + "\n")


def fingerprint() -> dict[str, str]:
    models = [line.split(": ", 1)[1] for line in Path("/proc/cpuinfo").read_text().splitlines()
              if line.startswith("model name")]
    revision = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD"], capture_output=True,
                              text=True).stdout.strip()
    return {
        "cpu": models[0] if models else "unknown",
        "cores": str(os.cpu_count()),
        "kernel": platform.release(),
        "hugepages_2m": Path("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages").read_text().strip(),
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "revision": revision or "unknown",
    }
