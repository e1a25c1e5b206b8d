#!/usr/bin/env bash
# Installs the Debian packages that Penstock is built, tested and shown with; only what is missing.
#   install-deps.sh [--check]      --check: list what is missing and exit 1, change nothing
set -euo pipefail

build=(
  ca-certificates ccache cmake git ninja-build g++ pkg-config clang-14 llvm-14 libclang-rt-14-dev clang-format-14 bpftool
  dpdk libdpdk-dev libbpf-dev libxdp-dev libisal-dev libxxhash-dev libjemalloc-dev
  libgtest-dev libgmock-dev libbenchmark-dev
  libgrpc++-dev libprotobuf-dev protobuf-compiler protobuf-compiler-grpc
  libboost-dev libeigen3-dev nlohmann-json3-dev libspdlog-dev libcli11-dev libyaml-cpp-dev
  golang-github-osrg-gobgp-dev
  libsqlite3-dev libnl-3-dev libnl-route-3-dev libssl-dev
)
lab=(
  frr bird2 gobgpd nginx-light wrk dnsmasq-base python3 python3-scapy ethtool iproute2 nftables iputils-ping util-linux curl jq openssl tcpdump
)

die() { echo "install-deps: $1" >&2; exit "$2"; }

check=false
case "${1:-}" in
  "") ;;
  --check) check=true ;;
  *) die "'$1' is not an option; usage: install-deps.sh [--check]" 64 ;;
esac
command -v dpkg-query >/dev/null || die "this is not Debian: install the packages named in $0 by hand" 69

missing=()
for package in "${build[@]}" "${lab[@]}"; do
  state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || true
  [[ $state == installed ]] || missing+=("$package")
done
if [[ ${#missing[@]} -eq 0 ]]; then
  echo "install-deps: everything is there"
  exit 0
fi
if $check; then
  printf '%s\n' "${missing[@]}"
  exit 1
fi
[[ $EUID -eq 0 ]] || die "installing ${missing[*]} needs root: run it with sudo" 77

# frr, bird, gobgpd and nginx would start daemons on this machine; the lab starts its own inside namespaces.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
fi
# Where a policy of the machine's own let them start, those that were not there before are stopped again.
running_before=$(pidof nginx watchfrr zebra bird gobgpd || true)

export DEBIAN_FRONTEND=noninteractive
echo "install-deps: installing ${missing[*]}"
apt-get update -q
apt-get install -y -q --no-install-recommends "${missing[@]}"

for service in frr bird gobgpd nginx; do
  if [[ " ${missing[*]} " == *" $service"* && -z $running_before && -d /run/systemd/system ]]; then
    systemctl disable --now "$service" >/dev/null 2>&1 || true
  fi
done
echo "install-deps: installed ${#missing[@]} packages"
