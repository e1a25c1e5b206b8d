#!/usr/bin/env bash
# Runs one benchmark suite and writes its figures: bench.sh SUITE [--json FILE] [--quick]
# Without a suite it lists them. A suite is a binary SUITE_bench in build/release/perf.
set -euo pipefail
here=$PWD
cd "$(dirname "$0")/.."
suites() { grep -rhoP --include=CMakeLists.txt 'penstock_benchmark\(\K\w+(?=_bench)' perf | sort | paste -sd' '; }
die() { echo "bench: $1" >&2; exit "$2"; }

suite=${1:-}
[[ -n $suite ]] || { echo "suites: $(suites)"; exit 0; }
shift
[[ " $(suites) " == *" $suite "* ]] || die "no suite '$suite'; there are: $(suites)" 64
# It has its own runner, which also takes scenarios and PKTGEN=/path.
if [[ $suite == pktgen ]]; then cd "$here"; exec "$OLDPWD/perf/pktgen/run.sh" "$@"; fi
json=build/bench/$suite.json
quick=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --json) [[ $# -ge 2 ]] || die "--json needs a FILE" 64; json=$(cd "$here" && realpath -m "$2"); shift 2 ;;
    --quick) quick=(--quick); shift ;;
    *) die "'$1' is not an option; usage: bench.sh SUITE [--json FILE] [--quick]" 64 ;;
  esac
done

scripts/install-deps.sh
scripts/build.sh "${suite}_bench"

# The large tables want hugepages. Without root they run on small pages and the fingerprint says so.
pages=1024
nr=/proc/sys/vm/nr_hugepages
if [[ $EUID -eq 0 && $(<$nr) -lt $pages ]]; then
  before=$(<$nr)
  trap 'echo "$before" >$nr' EXIT
  echo "$pages" >$nr
fi
mkdir -p "$(dirname "$json")"
"build/release/perf/${suite}_bench" --json "$json" "${quick[@]}"
echo "bench: figures written to $json"
