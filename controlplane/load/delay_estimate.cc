#include "controlplane/load/delay_estimate.h"

#include <algorithm>
#include <cmath>

namespace penstock::load {

void DelayEstimate::update(double telemetry_age, double flow_residence, double apply_time) {
  const double delay = telemetry_age + std::min(flow_residence, kMostResidence) / 2 + apply_time;
  if (!std::isfinite(delay) || telemetry_age < 0 || flow_residence < 0 || apply_time < 0) return;
  seconds_ = known_ ? seconds_ + (delay > seconds_ ? kUp : kDown) * (delay - seconds_) : delay;
  known_ = true;
}

}  // namespace penstock::load
