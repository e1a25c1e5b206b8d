// What a node carries that no gateway sent, as time goes on.
#pragma once

#include <algorithm>
#include <cmath>

#include "controlplane/simulation/random.h"
#include "controlplane/simulation/scenario.h"

namespace penstock::simulation {

class BackgroundLoad {
 public:
  BackgroundLoad(const Background& background, Random random) : background_(background), random_(random) {}

  /// Its share of the capacity at `now`; draws noise, so each moment is asked for once, in order.
  double sample(double now) {
    while (next_ < background_.level.size() && background_.level[next_].time <= now)
      level_ = background_.level[next_++].value;
    if (background_.noise > 0) {
      // Exact step of the Ornstein-Uhlenbeck process, from its stationary distribution on.
      const double kept = started_ ? std::exp(-(now - sampled_) / background_.noise_time) : 0;
      noise_ = kept * noise_ + background_.noise * std::sqrt(1 - kept * kept) * random_.normal();
      started_ = true;
    }
    sampled_ = now;
    return std::clamp(level_ + noise_, 0.0, 1.0);
  }
  /// When it changes next after `now`.
  [[nodiscard]] double next(double now) const {
    const double step = next_ < background_.level.size() ? background_.level[next_].time : Arrivals::kNever;
    return background_.noise > 0 ? std::min(step, now + background_.sample_period) : step;
  }

 private:
  const Background& background_;
  Random random_;
  std::size_t next_ = 0;
  double level_ = 0, noise_ = 0, sampled_ = 0;
  bool started_ = false;
};

}  // namespace penstock::simulation
