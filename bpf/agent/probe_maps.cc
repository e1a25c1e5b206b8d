#include "bpf/agent/probe_maps.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "bpf/agent/abi_names.h"
#include "bpf/agent/bpf_map.h"

namespace penstock {
namespace {

bool by_bytes(const abi_service_key& a, const abi_service_key& b) {
  return std::memcmp(&a, &b, sizeof a) < 0;
}

Error cannot_write(const char* what) {
  return internal_error(std::string("cannot write the ") + what + ": " + std::strerror(errno));
}

/// All of them, or the first that is refused.
bool write_entries(int map, const std::vector<abi_service_key>& keys,
                   const std::vector<probe_service_entry>& values) {
  if (keys.empty()) return true;
  auto count = static_cast<std::uint32_t>(keys.size());
  LIBBPF_OPTS(bpf_map_batch_opts, options);
  return bpf_map_update_batch(map, keys.data(), values.data(), &count, &options) == 0;
}

}  // namespace

ProbeMaps::ProbeMaps(int keys, int host_loads, int service_loads, int clock)
    : keys_(keys),
      host_loads_(host_loads),
      service_loads_(service_loads),
      clock_(clock),
      present_(map_keys<abi_service_key>(service_loads)) {
  std::sort(present_.begin(), present_.end(), by_bytes);
}

Status ProbeMaps::set_key(const std::optional<std::array<std::uint8_t, 16>>& key) {
  constexpr abi_u32 kNewest = 0, kBefore = 1;
  probe_key wanted{}, present{}, none{};
  if (key) {
    std::memcpy(&wanted.key, key->data(), sizeof wanted.key);
    wanted.valid = 1;
  }
  if (bpf_map_lookup_elem(keys_, &kNewest, &present) != 0) {
    return internal_error(std::string("cannot read the probe keys: ") + std::strerror(errno));
  }
  if (std::memcmp(&wanted, &present, sizeof wanted) == 0) return Ok{};
  // The old key first, so that it is valid throughout.
  if (bpf_map_update_elem(keys_, &kBefore, key ? &present : &none, BPF_ANY) != 0 ||
      bpf_map_update_elem(keys_, &kNewest, &wanted, BPF_ANY) != 0) {
    return cannot_write("probe keys");
  }
  return Ok{};
}

Status ProbeMaps::set_host_load(const probe_host_entry& load) {
  constexpr abi_u32 kFirst = 0;
  if (bpf_map_update_elem(host_loads_, &kFirst, &load, BPF_ANY) != 0) return cannot_write("host's load");
  return Ok{};
}

Status ProbeMaps::set_clock(std::uint64_t realtime_minus_monotonic_ns) {
  constexpr abi_u32 kFirst = 0;
  if (bpf_map_update_elem(clock_, &kFirst, &realtime_minus_monotonic_ns, BPF_ANY) != 0) {
    return cannot_write("host's clock");
  }
  return Ok{};
}

Status ProbeMaps::set_service_loads(const std::map<VipKey, probe_service_entry>& loads) {
  wanted_.clear();
  values_.clear();
  for (const auto& [service, load] : loads) {
    if (service.is_prefix() || !service.is_one_port()) {
      return invalid("services", service.text() + " is not one address and one port: no probe asks for it");
    }
    wanted_.push_back(to_abi(service));
    values_.push_back(load);
  }
  const bool written = write_entries(service_loads_, wanted_, values_);
  const int why = errno;
  std::sort(wanted_.begin(), wanted_.end(), by_bytes);
  for (const abi_service_key& key : present_) {
    if (!std::binary_search(wanted_.begin(), wanted_.end(), key, by_bytes)) {
      bpf_map_delete_elem(service_loads_, &key);
    }
  }
  std::swap(present_, wanted_);
  errno = why;
  if (!written) return cannot_write("loads of services");
  return Ok{};
}

}  // namespace penstock
