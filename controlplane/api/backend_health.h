// What gateways say of one backend, each and all together, as documents show it.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>

#include "controlplane/health/health_snapshot.h"
#include "controlplane/stream/observed.h"

namespace penstock {

/// One gateway's report of a backend.
[[nodiscard]] nlohmann::json to_json(const ObservedGateway& gateway, const proto::BackendStats& stats);

/// What all connected gateways say of a backend.
class BackendHealthSummary {
 public:
  /// `stats` outlives the summary.
  void add(const ObservedGateway& gateway, const proto::BackendStats& stats);

  /// Adds "breaker" (the worst), "hot" (any), "admitted_percent" (the mean) and "load" (the freshest); null
  /// is what nobody says.
  void add_to(nlohmann::json& out) const;

 private:
  const proto::BackendLoad* load_ = nullptr;
  Nanoseconds load_at_;        // when its report came
  Nanoseconds load_measured_;  // about when it was measured
  unsigned said_ = 0;          // connected gateways that sent BackendHealth
  unsigned breaker_ = 0;
  bool late_ = false;
  bool busy_ = false;
  std::uint64_t admitted_ = 0;
};

/// "verdict", "reason", "since_seconds_ago", "votes"; null verdict: the service is not judged yet.
void add_verdict(nlohmann::json& out, const BackendVerdict* verdict);

/// "closed", "open", "half_open"
[[nodiscard]] const char* breaker_name(proto::BreakerState state);

}  // namespace penstock
