"""scripts/lab.sh up|down|status|exec NS CMD...|scenario NAME [--json FILE] [--quick]"""
from __future__ import annotations

import argparse
import os
import sys

from . import lifecycle, topology
from .system import LabError, fail, in_namespace, require_root


def main() -> int:
    parser = argparse.ArgumentParser(prog="lab.sh", description="Penstock's network-namespace lab.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("up", help="build the lab and wait until it serves traffic")
    commands.add_parser("down", help="remove the lab and all that it made; always safe to repeat")
    commands.add_parser("status", help="what runs, and where the VIPs lead")
    enter = commands.add_parser("exec", help="run a command in one of the lab's namespaces")
    enter.add_argument("namespace", metavar="NS", help="client, router, gw1-gw3, be1-be6 or ctl")
    enter.add_argument("argv", nargs=argparse.REMAINDER, metavar="CMD")
    play = commands.add_parser("scenario", help="run one scenario against the lab that is up")
    play.add_argument("name", metavar="NAME", help="'list' names them")
    play.add_argument("--json", metavar="FILE", help="write the figures there")
    play.add_argument("--quick", action="store_true", help="fault scenarios with a few hundred flows and less time")
    args = parser.parse_args()
    require_root()
    if args.command == "up":
        lifecycle.up()
    elif args.command == "down":
        lifecycle.down()
    elif args.command == "status":
        lifecycle.status()
    elif args.command == "exec":
        _enter(args.namespace, args.argv)
    else:
        from . import scenarios
        return scenarios.play(args.name, args.json, quick=args.quick)
    return 0


def _enter(name: str, argv: list[str]) -> None:
    try:
        ns = topology.namespace(name)
    except KeyError as e:
        raise LabError(str(e.args[0]), 64) from None
    lifecycle.require_up()
    command = in_namespace(ns, argv or [os.environ.get("SHELL", "/bin/bash")])
    os.execvp(command[0], command)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LabError as error:
        sys.exit(fail(error))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # the reader had seen enough ("status | head")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
