// The maps out of which bpf/probe_responder.bpf.h answers (include/penstock/abi/probe.h): keys, loads, clock.
//
// Writers replace whole entries, and the program reads without a lock: an answer that is written while an
// entry is replaced may hold numbers of two samples, which lie one sample apart.
//
// One thread. The maps belong to somebody else and outlive this.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "penstock/abi/probe.h"
#include "penstock/abi/service_key.h"
#include "penstock/base/result.h"
#include "penstock/config/vip_key.h"

namespace penstock {

class ProbeMaps {
 public:
  /// File descriptors. What a predecessor left among the services' loads goes with the first call that sets
  /// them.
  ProbeMaps(int keys, int host_loads, int service_loads, int clock);

  Status set_key(const std::optional<std::array<std::uint8_t, 16>>& key);
  Status set_host_load(const probe_host_entry& load);
  Status set_service_loads(const std::map<VipKey, probe_service_entry>& loads);
  Status set_clock(std::uint64_t realtime_minus_monotonic_ns);

 private:
  int keys_;
  int host_loads_;
  int service_loads_;
  int clock_;
  // What is in the map, so that it need not be listed; and room that the next call uses again.
  std::vector<abi_service_key> present_;
  std::vector<abi_service_key> wanted_;
  std::vector<probe_service_entry> values_;
};

}  // namespace penstock
