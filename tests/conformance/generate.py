#!/usr/bin/python3
"""Writes tables/ from cases/ with scapy.

Usage: generate.py            writes, and says how many cases there are of each topic
       generate.py --check    fails if tables/ is not what would be written
"""
import importlib
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True

import gateways  # noqa: E402
import table  # noqa: E402


def generate() -> dict:
    for path in sorted((HERE / "cases").glob("*.py")):
        importlib.import_module(f"cases.{path.stem}").write()
    return table.tables(gateways.all_gateways())


def main() -> int:
    wanted = generate()
    folder = HERE / "tables"
    present = {p.name: p.read_text(encoding="ascii") for p in folder.glob("*.jsonl")}
    if sys.argv[1:] == ["--check"]:
        stale = sorted(n for n in wanted.keys() | present.keys() if wanted.get(n) != present.get(n))
        if stale:
            print("stale, run tests/conformance/generate.py:", ", ".join(stale))
        return 1 if stale else 0
    folder.mkdir(exist_ok=True)
    for name in present.keys() - wanted.keys():
        (folder / name).unlink()
    for name, text in wanted.items():
        (folder / name).write_text(text, encoding="ascii")
    for topic, count in sorted(table.counts().items()):
        print(f"{count:5} {topic}")
    print(f"{sum(table.counts().values()):5} cases")
    return 0


if __name__ == "__main__":
    sys.exit(main())
