#!/usr/bin/env bash
# Installs, builds and runs every test through ctest.
#   test.sh [--quick]      --quick: without the network-namespace lab, the sanitizer run and the fuzzers
# CI=true makes warnings errors.
set -euo pipefail
cd "$(dirname "$0")/.."
quick=false
case "${1:-}" in
  "") ;;
  --quick) quick=true ;;
  *) echo "test: '$1' is not an option; usage: test.sh [--quick]" >&2; exit 64 ;;
esac
if [[ $EUID -ne 0 ]]; then
  echo "test: root is needed for network namespaces, hugepages and XDP: run it with sudo" >&2
  exit 77
fi

jobs=$(nproc)
failed=()
began=$SECONDS
step() { printf '\n== %s (%d s)\n' "$1" $((SECONDS - began)); }
# A failing suite does not hide the others; the exit code remembers it.
suite() { local name=$1; shift; step "$name"; "$@" || failed+=("$name"); }

step "dependencies"
scripts/install-deps.sh
step "build"
# What only has logic to test is tested under the sanitizers, and compiled for them alone; the packet path for both.
sanitized=OFF
$quick || sanitized=ON
scripts/build.sh -DPENSTOCK_SANITIZED_ELSEWHERE=$sanitized

if ! $quick; then
  # Of the sanitizer build only the tests that need neither root nor namespaces: they hold the parsers and tables.
  step "build with address and undefined-behaviour sanitizers"
  scripts/build.sh --preset asan unit_tests
  suite "unit tests with sanitizers" ctest --test-dir build/asan -L unit -j "$jobs" --output-on-failure
  suite "every fuzzer for half a minute" scripts/fuzz.sh --seconds 30
fi
# Last, so that ctest's closing line is the end of the output. The lab's tests run one at a time by their own wish.
selection=()
name="every test: unit, root, end-to-end"
if $quick; then
  selection=(-LE e2e)
  name="unit and root tests"
fi
# The lab measures milliseconds on a machine that others share: what failed is tried once more, and named if that helped.
log=build/release/Testing/second-try.log
every_test() {
  ctest --test-dir build/release -j "$jobs" --output-on-failure --no-tests=error --repeat until-pass:2 "${selection[@]}" | tee "$log"
}
mkdir -p "$(dirname "$log")"
suite "$name" every_test
again=$(grep -oP 'Test +#\d+: \K\S+(?= \.*\*\*\*(Failed|Timeout|Exception))' "$log" | sort -u | paste -sd' ' || true)
[[ -z $again ]] || echo "test: failed at the first try: $again" >&2

if [[ ${#failed[@]} -gt 0 ]]; then
  # Who sees only the end of the output sees why.
  grep -hE 'MISSED$|^penstock-lab: |: Failure$|ERROR: AddressSanitizer|runtime error:|broken at |went elsewhere because' \
    build/*/Testing/Temporary/LastTest.log 2>/dev/null | sort | uniq -c | head -n 25 >&2 || true
  echo "test: FAILED after $((SECONDS - began)) s: $(printf '%s; ' "${failed[@]}")" >&2
  exit 1
fi
echo "test: all suites passed in $((SECONDS - began)) s"
