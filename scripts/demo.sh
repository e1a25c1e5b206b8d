#!/usr/bin/env bash
# Installs, builds and shows the main job on real traffic; exit 0 only if every condition of it was met.
#   demo.sh [--seconds N] [--keep] [--json FILE]     (--help explains)
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
for argument in "$@"; do
  if [[ $argument == --json=* || $argument == --json ]]; then json_given=true; fi
  if [[ $argument == --help || $argument == -h ]]; then cd "$root/scripts" && exec /usr/bin/python3 -B -m lab.demo --help; fi
done
[[ $EUID -eq 0 ]] || { echo "demo: the lab needs root for network namespaces, hugepages and XDP: run it with sudo" >&2; exit 77; }

"$root/scripts/install-deps.sh"
"$root/scripts/build.sh" penstock-controlplane penstock-gateway penstock-dataplane penstock-node penstockctl \
  penstock-traffic penstock-flows penstock-echo

# FILE of --json is meant relative to where the user is, not to where the lab's code lies.
arguments=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --json) [[ $# -ge 2 ]] || { echo "demo: --json needs a FILE" >&2; exit 64; }
            arguments+=(--json "$(realpath -m "$2")"); shift 2 ;;
    --json=*) arguments+=(--json "$(realpath -m "${1#--json=}")"); shift ;;
    *) arguments+=("$1"); shift ;;
  esac
done
cd "$root/scripts"
exec /usr/bin/python3 -B -m lab.demo "${arguments[@]}"
