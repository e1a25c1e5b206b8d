// What kind of work a service's flows are, from what comes with them: bytes per flow, how long a flow stays
// (Little's law: active = new * residence), and so how fast it sends.
//
//   batch              flows stay for minutes: what a new flow costs is decided long before it shows
//   throughput         flows carry much: bytes, not requests, are what the nodes run out of
//   latency-sensitive  everything else: many short exchanges
//
// A class is left only when a boundary is exceeded by the factor of hysteresis, and the other side held for
// some reports: a service at a boundary does not flap. A configured class wins and learning goes on beneath
// it. One object per service; not thread-safe; no clock.
#pragma once

#include <cstdint>
#include <optional>

#include "controlplane/load/traffic_mix.h"
#include "controlplane/load/types.h"

namespace penstock::load {

enum class WorkloadClass : std::uint8_t { kLatencySensitive, kThroughput, kBatch };

/// "latency-sensitive", "throughput", "batch". Static storage.
[[nodiscard]] const char* name_of(WorkloadClass workload);

struct WorkloadSettings {
  double batch_residence = 120;         // seconds that a flow stays
  double throughput_bytes = 1'000'000;  // client to backend and flow; responses are not seen (direct return)
  double throughput_rate =
      1'000'000;            // bytes a second and active flow, for flows that stay long and send much
  double hysteresis = 1.5;  // >= 1: factor beyond a boundary at which a class changes
  unsigned hold = 10;       // observations in a row that must agree on another class
};

class WorkloadClassifier {
 public:
  explicit WorkloadClassifier(WorkloadSettings settings = {}) : settings_(settings) {}

  /// nullopt: learned again.
  void configure(std::optional<WorkloadClass> workload) { configured_ = workload; }

  /// The service's traffic over all placements; span in seconds, > 0. Idle spans and what is no number teach
  /// nothing.
  void observe(const Traffic& traffic, double span);

  /// The configured class, else the learned one; latency-sensitive until something is learned.
  [[nodiscard]] WorkloadClass workload() const { return configured_.value_or(learned_); }
  [[nodiscard]] WorkloadClass learned() const { return learned_; }
  [[nodiscard]] bool configured() const { return configured_.has_value(); }
  /// 0 (nothing seen) to 1 (as many observations as a change needs twice, without dissent).
  [[nodiscard]] double confidence() const;
  [[nodiscard]] double residence_seconds() const { return mix_.residence(); }
  [[nodiscard]] double bytes_per_flow() const { return mix_.bytes_per_flow(); }

 private:
  [[nodiscard]] WorkloadClass class_now() const;

  WorkloadSettings settings_;
  TrafficMix mix_;
  std::optional<WorkloadClass> configured_;
  WorkloadClass learned_ = WorkloadClass::kLatencySensitive;
  WorkloadClass candidate_ = WorkloadClass::kLatencySensitive;
  unsigned in_a_row_ = 0;  // observations that agree on candidate_
};

}  // namespace penstock::load
