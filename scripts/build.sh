#!/usr/bin/env bash
# Configures and builds a preset: build.sh [--preset NAME] [-DOPTION=VALUE...] [TARGET...]     (default: release, everything)
set -euo pipefail
cd "$(dirname "$0")/.."
preset=release
if [[ ${1:-} == --preset ]]; then preset=$2; shift 2; fi
options=()
while [[ ${1:-} == -D* ]]; do options+=("$1"); shift; done
targets=()
if [[ $# -gt 0 ]]; then targets=(--target "$@"); fi
# A machine that builds once has an empty cache, and ccache none of what precompiled headers went into.
if [[ ${CI:-} == true ]]; then
  # Nobody debugs what it builds: lines for a backtrace are enough.
  options+=(-DPENSTOCK_WERROR=ON -DPENSTOCK_PCH=ON "-DCMAKE_CXX_FLAGS_RELWITHDEBINFO=-O2 -g1 -DNDEBUG")
elif command -v ccache >/dev/null; then
  options+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
fi

log=build/$preset/configure.log
mkdir -p "build/$preset"
echo "build: configuring $preset"
cmake --preset "$preset" "${options[@]}" >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
echo "build: building $preset ${targets[*]:1}"
cmake --build --preset "$preset" "${targets[@]}"
