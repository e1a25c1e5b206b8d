// How large a share of its new flows a backend gets that has come back. One backend; never an earlier time.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "dataplane/config/health_document.h"
#include "penstock/base/units.h"

namespace penstock {

class SlowStart {
 public:
  void begin(Nanoseconds now) noexcept {
    running_ = true;
    began_ = now;
  }
  void end() noexcept { running_ = false; }
  [[nodiscard]] bool running() const noexcept { return running_; }

  /// 0-1; ends by itself.
  double share(const SlowStartDocument& policy, Nanoseconds now) noexcept {
    const std::uint64_t duration = Nanoseconds::from_millis(policy.duration_ms).count();
    if (!running_ || now.count() - began_.count() >= duration) {
      running_ = false;
      return 1;
    }
    const double elapsed = static_cast<double>(now.count() - began_.count()) / static_cast<double>(duration);
    const double initial = policy.initial_percent / 100.0;
    return initial + (1 - initial) * (policy.exponent == 1 ? elapsed : std::pow(elapsed, policy.exponent));
  }

 private:
  bool running_ = false;
  Nanoseconds began_{};
};

/// Of 256 new flows, how many are refused: rounded up, so that a share is never exceeded; at most 255.
[[nodiscard]] inline std::uint16_t withheld_of(double share) noexcept {
  return static_cast<std::uint16_t>(std::clamp(std::ceil((1 - share) * 256), 0.0, 255.0));
}

}  // namespace penstock
