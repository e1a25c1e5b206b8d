#include "controlplane/simulation/policies/heat.h"

#include <algorithm>
#include <cmath>

namespace penstock::simulation {
namespace {
constexpr double kCool = 0.8, kLevel = 3, kBusy = 0.9;
}  // namespace

void Heat::Bit::hear(bool over, bool under) {
  below = under && !over ? std::min(below + 1, 2) : 0;
  on = over || (on && below < 2);
}

void Heat::hear(double latency_seconds, double utilization, double late_after) {
  unheard_ = std::isnan(latency_seconds) ? std::min(unheard_ + 1, kUnheardAnswers) : 0;
  const bool outdated = unheard_ == kUnheardAnswers;
  for (Bit& level : late_) {
    // Comparisons with NaN are false: what nobody measured is neither slow nor quick.
    level.hear(late_after > 0 && latency_seconds > late_after,
               late_after <= 0 || outdated || latency_seconds < kCool * late_after);
    late_after *= kLevel;
  }
  busy_.hear(utilization > kBusy, utilization < kCool * kBusy);
}

std::uint32_t Heat::rank() const {
  std::uint32_t rank = busy_.on ? 1 : 0;
  for (std::uint32_t n = 0; n < late_.size(); ++n)
    if (late_[n].on) rank = 2 * (n + 1) + (busy_.on ? 1 : 0);
  return rank;
}

}  // namespace penstock::simulation
