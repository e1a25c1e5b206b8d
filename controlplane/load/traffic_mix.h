// What comes with a new flow: active flows and bytes/s per new flow/s, and so flow residence (Little's law:
// active = new * residence) and bytes per flow.
// Ratios of sums over windows that each saw some flows: a span without a new flow divides by nothing, and
// active flows of that time still count. Not thread-safe.
#pragma once

#include "controlplane/load/types.h"

namespace penstock::load {

[[nodiscard]] inline bool is_idle(const Traffic& traffic) {
  return traffic.new_flows == 0 && traffic.active_flows == 0 && traffic.bytes == 0;
}

class TrafficMix {
 public:
  /// span: seconds that the traffic was observed over, > 0. Idle spans teach nothing.
  void add(const Traffic& traffic, double span) {
    if (is_idle(traffic)) return;
    flows_ += traffic.new_flows * span;
    active_seconds_ += traffic.active_flows * span;
    bytes_ += traffic.bytes * span;
    seconds_ += span;
    if (flows_ < kWindowFlows || seconds_ < kWindowSeconds) return;
    const double gain = known_ ? kGain : 1;
    residence_ += gain * (active_seconds_ / flows_ - residence_);
    bytes_per_flow_ += gain * (bytes_ / flows_ - bytes_per_flow_);
    known_ = true;
    flows_ = active_seconds_ = bytes_ = seconds_ = 0;
  }

  /// Whether a window was ever full.
  [[nodiscard]] bool known() const { return known_; }
  /// Seconds that a flow stays; 0 if nothing is known.
  [[nodiscard]] double residence() const {
    return known_ ? residence_ : flows_ > 0 ? active_seconds_ / flows_ : 0;
  }
  [[nodiscard]] double bytes_per_flow() const {
    return known_ ? bytes_per_flow_ : flows_ > 0 ? bytes_ / flows_ : 0;
  }
  /// The traffic of one new flow a second.
  [[nodiscard]] Traffic per_flow() const { return {1, residence(), bytes_per_flow()}; }

 private:
  static constexpr double kWindowFlows = 16;
  static constexpr double kWindowSeconds = 0.1;
  static constexpr double kGain = 0.1;  // per window

  double flows_ = 0, active_seconds_ = 0, bytes_ = 0, seconds_ = 0;  // of the window that is open
  double residence_ = 0, bytes_per_flow_ = 0;
  bool known_ = false;
};

}  // namespace penstock::load
