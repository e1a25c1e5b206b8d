#!/usr/bin/env bash
# Fuzzes the parsers and the packet path: fuzz.sh [TARGET...] [--seconds N]     (default: every target, 600 s each)
# As many targets at a time as there are cores. What is found lies in build/fuzz/findings/TARGET; what was learnt stays in
# build/fuzz/corpus/TARGET for the next run.
set -euo pipefail
cd "$(dirname "$0")/.."
die() { echo "fuzz: $1" >&2; exit "$2"; }
usage="usage: fuzz.sh [TARGET...] [--seconds N]"

mapfile -t known < <(sed -nE 's/^penstock_fuzz_target\((\w+).*/\1/p' tests/fuzz/CMakeLists.txt)
seconds=600
targets=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --seconds)
      [[ ${2:-} =~ ^[1-9][0-9]{0,5}$ ]] || die "--seconds needs a number of seconds, not '${2:-}'" 64
      seconds=$2; shift 2 ;;
    -*) die "'$1' is not an option; $usage" 64 ;;
    *)
      [[ " ${known[*]} " == *" $1 "* ]] || die "no target '$1'; there are: ${known[*]}" 64
      targets+=("$1"); shift ;;
  esac
done
[[ ${#targets[@]} -gt 0 ]] || targets=("${known[@]}")

out=build/fuzz
scripts/build.sh --preset fuzz "${targets[@]/#/fuzz_}"
python=/usr/bin/python3  # Debian's, which has scapy
rm -rf "$out/seeds"
"$python" tests/fuzz/make_seeds.py "$out/seeds"

fuzz_one() {
  local target=$1 log=$out/$1.log options=()
  mkdir -p "$out/corpus/$target" "$out/findings/$target" "$out/seeds/$target"
  local inputs=("$out/corpus/$target" "$out/seeds/$target")  # it writes to the first only
  [[ ! -d tests/fuzz/regressions/$target ]] || inputs+=("tests/fuzz/regressions/$target")
  [[ $target != p* ]] || options+=(-dict=tests/fuzz/packets.dict)
  "$out/fuzz/fuzz_$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=8192 -print_final_stats=1 \
    -artifact_prefix="$out/findings/$target/" "${options[@]}" "${inputs[@]}" >"$log" 2>&1 || { tail -n 40 "$log" >&2; return 1; }
  sed -nE "s/^stat::number_of_executed_units: *([0-9]+)/fuzz: $target: \1 runs in $seconds s, nothing found/p" "$log"
}

failed=()
declare -A of
reap() {  # waits for one of them
  local pid status=0
  wait -n -p pid || status=$?
  [[ $status -eq 0 ]] || failed+=("${of[$pid]}")
}
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
for target in "${targets[@]}"; do
  while [[ $(jobs -rp | wc -l) -ge $(nproc) ]]; do reap; done
  fuzz_one "$target" &
  of[$!]=$target
done
while [[ -n $(jobs -p) ]]; do reap; done

if [[ ${#failed[@]} -gt 0 ]]; then
  echo "fuzz: FOUND something in: ${failed[*]}. Inputs: $out/findings. When it is mended, keep the input in" \
    "tests/fuzz/regressions/TARGET." >&2
  exit 1
fi
