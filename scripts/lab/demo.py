"""scripts/demo.sh, after installing and building: the main job on real traffic, watched live and judged."""
from __future__ import annotations

import argparse
import signal
import sys

from . import lifecycle, topology
from .analysis import expected_shares
from .live import LiveView
from .run import Run
from .system import LabError, fail, require_root, say

_SHORTEST_SECONDS = 35


def play(run: Run, seconds: float) -> None:
    """The main job. The parts of `seconds` are what each phase is observed; the steps between add a few."""
    part = max(5.0, (seconds - 12) / 4)
    run.start()
    run.observe_shares("steady 1:2:3", part)
    run.change_weight("be1", 6, part)
    run.drain("be2", part)
    run.restart_drained(topology.host("be2"))
    run.count_gateways()
    run.kill_gateway(topology.GATEWAYS[0], part)
    run.finish()


def summary(run: Run) -> str:
    lines = ["", "backend shares beside their weights"]
    for phase, weights, shares in run.shares:
        want = expected_shares(weights)
        cells = "   ".join(f"{b} {shares.get(b, 0):6.1%} (want {want[b]:5.1%})" for b in sorted(want))
        lines.append(f"  {phase:16} {cells}")
    lines.append("BGP paths at the router")
    for vip in run.paths_before:
        lines.append(f"  {vip:20} before {', '.join(run.paths_before[vip])}; "
                     f"after {', '.join(run.paths_after.get(vip, [])) or 'none'}")
    return "\n".join([*lines, "", run.figures.table(), ""])


def main() -> int:
    parser = argparse.ArgumentParser(prog="demo.sh", description="Shows and judges the main job.")
    parser.add_argument("--seconds", type=float, default=60, metavar="N",
                        help=f"length of the traffic, at least {_SHORTEST_SECONDS} (default 60)")
    parser.add_argument("--keep", action="store_true", help="leave the lab up afterwards")
    parser.add_argument("--json", metavar="FILE", help="write the figures there")
    args = parser.parse_args()
    if args.seconds < _SHORTEST_SECONDS:
        raise LabError(f"--seconds {args.seconds:g}: the main job takes at least {_SHORTEST_SECONDS} s", 64)
    require_root()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    lifecycle.up()
    try:
        run = _judged(args)
        if args.keep:
            run.restore()
            _explain()
    finally:
        if not args.keep:
            lifecycle.down()
    return 0 if run.figures.all_passed else 1


def _judged(args: argparse.Namespace) -> Run:
    view = LiveView()
    run = Run("demo", on_event=view.event, on_tick=view.tick)
    try:
        play(run, args.seconds)
    finally:
        run.client.kill()
    say(summary(run))
    if args.json:
        run.figures.write(args.json)
    missed = [f.name for f in run.figures.items if not f.passed]
    say(f"FAILED: {', '.join(missed)}" if missed else "The main job holds: every condition was met.")
    return run


def _explain() -> None:
    say(f"""
The lab stays up. Talk to it with
  scripts/lab.sh status
  scripts/lab.sh exec client curl -i http://{topology.VIP4}/
  scripts/lab.sh exec ctl build/release/bin/penstockctl get services
  scripts/lab.sh exec ctl build/release/bin/penstockctl top
  scripts/lab.sh exec router vtysh -N penstock-router -c 'show bgp summary'
  scripts/lab.sh down""")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LabError as error:
        sys.exit(fail(error))
    except KeyboardInterrupt:
        sys.exit(130)
