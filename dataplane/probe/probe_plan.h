// Whom to probe and for what: a running configuration by backend addresses.
#pragma once

#include <vector>

#include "dataplane/config/document.h"
#include "dataplane/config/snapshot.h"
#include "penstock/abi/siphash.h"

namespace penstock {

struct ProbedService {
  BackendIndex backend = kNoBackend;
  VipKey key;

  bool operator==(const ProbedService&) const = default;
};

struct ProbedAddress {
  IpAddr address;
  std::vector<ProbedService> services;

  bool operator==(const ProbedAddress&) const = default;
};

/// A backend of any service: also one that is not asked may be in maintenance, be checked directly, or be
/// known to the fleet.
struct JudgedBackend {
  BackendIndex index = kNoBackend;
  bool maintenance = false;
  bool takes_new_flows = false;  // neither drained nor of weight 0

  bool operator==(const JudgedBackend&) const = default;
};

struct JudgedService {
  ServiceIndex index = kNoServiceIndex;
  HealthDocument health;
  std::vector<JudgedBackend> backends;

  bool operator==(const JudgedService&) const = default;
};

struct ProbePlan {
  std::vector<ProbedAddress> addresses;  // ascending, each once
  siphash_key key{};
  std::vector<JudgedService> services{};
};

/// Addresses are those of services whose hosts run the XDP program: GUE and IP-in-IP. `snapshot` was compiled
/// from `document`. Any thread, off the hot path.
[[nodiscard]] ProbePlan make_probe_plan(const Document& document, const Snapshot& snapshot);

}  // namespace penstock
