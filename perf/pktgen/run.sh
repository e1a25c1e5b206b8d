#!/usr/bin/env bash
# Runs scenarios against the built dataplane: run.sh [SCENARIO...] [--json FILE] [--quick]
# PKTGEN=/path/to/pktgen sends with Pktgen-DPDK, else with penstock-generator. Needs root and two CPUs.
set -euo pipefail
here=$PWD
cd "$(dirname "$0")/../.."
die() { echo "pktgen: $1" >&2; exit "$2"; }

json=build/bench/pktgen.json
arguments=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --json) [[ $# -ge 2 ]] || die "--json needs a FILE" 64; json=$(cd "$here" && realpath -m "$2"); shift 2 ;;
    --quick) arguments+=(--quick); shift ;;
    -*) die "'$1' is not an option; usage: run.sh [SCENARIO...] [--json FILE] [--quick]" 64 ;;
    *) grep -qxF "[$1]" perf/pktgen/scenarios.ini || die "no scenario '$1'; see perf/pktgen/scenarios.ini" 64
       arguments+=("$1"); shift ;;
  esac
done
if [[ -n ${PKTGEN:-} ]]; then
  PKTGEN=$(cd "$here" && realpath -m "$PKTGEN")
  [[ -x $PKTGEN && -f $PKTGEN ]] || die "PKTGEN=$PKTGEN is not a program" 64
  export PKTGEN
fi
[[ $EUID -eq 0 ]] || die "needs root (hugepages, shared memory with the driver)" 77
[[ $(nproc) -ge 2 ]] || die "needs two CPUs: one for the dataplane, one for the generator" 69

scripts/install-deps.sh
scripts/build.sh pktgen_bench

# Both processes' memory, in 2 MB pages.
pages=512
nr=/proc/sys/vm/nr_hugepages
free=$(awk '/^HugePages_Free/ {print $2}' /proc/meminfo)
if [[ $free -lt $pages ]]; then
  before=$(<$nr)
  trap 'echo "$before" >$nr' EXIT
  echo $((before + pages - free)) >$nr
fi
mkdir -p "$(dirname "$json")"
build/release/perf/pktgen_bench --json "$json" "${arguments[@]}"
echo "pktgen: figures written to $json"
