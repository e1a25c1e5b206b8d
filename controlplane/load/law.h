// The integral law that moves weights towards the solver's shares without overshoot under delay.
//
// One placement's deviation e seen d periods late and corrected by gain k each period obeys
//   e[i+1] = e[i] - k e[i-d],  characteristic z^(d+1) - z^d + k = 0,
// whose roots are real (no overshoot, no ringing) iff k <= d^d / (d+1)^(d+1).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "controlplane/load/types.h"

namespace penstock::load {

/// The largest gain without overshoot at a delay of d >= 0 periods (real numbers allowed); 1 at d = 0.
[[nodiscard]] double no_overshoot_gain(double delay_periods);

struct LawSettings {
  double period = 0.1;              // seconds between steps
  double gain_share = 0.9;          // of no_overshoot_gain, 0–1
  double deadband = 0.005;          // relative deviation that is left alone
  double slew = 0.5;                // most relative change of a weight in a second
  double stale_after = 3;           // seconds without telemetry: hold
  double decay_after = 30;          // seconds: begin to return to the configured weight
  double decay_time = 60;           // seconds of the way back
  std::uint32_t weight_scale = 1000;  // a service's largest weight, integers 0-1000 (dataplane.proto)
};

}  // namespace penstock::load
