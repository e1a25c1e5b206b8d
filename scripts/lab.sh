#!/usr/bin/env bash
# The lab in network namespaces: lab.sh up | down | status | exec NS CMD... | scenario NAME [--json FILE] [--quick]
set -euo pipefail
cd "$(dirname "$0")"
exec /usr/bin/python3 -B -m lab "$@"
