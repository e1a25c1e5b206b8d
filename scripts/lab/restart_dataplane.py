"""What a gateway agent of the lab calls to restart its dataplane: `python3 -m lab.restart_dataplane gw1`.

On a real gateway that is `systemctl restart penstock-dataplane`.
"""
from __future__ import annotations

import sys

from . import processes, topology
from .system import LabError, fail

if __name__ == "__main__":
    try:
        processes.restart_dataplane(topology.host(sys.argv[1]))
    except LabError as error:
        sys.exit(fail(error))
