// A backend that fell stays down for a while, however well it looks, and for longer each time that it falls
// again soon (flap damping): whoever flaps is in rotation at most once per hold.
//
// One backend. The caller says what time it is, never an earlier one.
#pragma once

#include <algorithm>
#include <cstdint>

#include "dataplane/config/health_document.h"
#include "dataplane/probe/finding.h"
#include "penstock/base/units.h"

namespace penstock {

class Hold {
 public:
  /// What is made of `found` now. Maintenance is no fall and nothing is held because of it.
  Finding step(const Finding& found, const HealthDocument& policy, Nanoseconds now) noexcept {
    if (found.reason == HealthReason::kMaintenance) return found;
    if (found.down) {
      if (!down_) fall(policy, now);
      return found;
    }
    if (!down_) return found;
    if (now < fell_at_ + hold_) return {true, true, HealthReason::kHeld};
    down_ = false;
    back_at_ = now;
    return found;
  }

  /// The last fall was this gateway's mistake: as if it had not been.
  void pardon() noexcept {
    if (!down_) return;
    down_ = false;
    hold_ = hold_before_;
    --falls_;
  }

  [[nodiscard]] bool down() const noexcept { return down_; }
  [[nodiscard]] std::uint32_t falls() const noexcept { return falls_; }

 private:
  void fall(const HealthDocument& policy, Nanoseconds now) noexcept {
    const Nanoseconds most = Nanoseconds::from_millis(policy.max_hold_ms);
    const Nanoseconds least = Nanoseconds::from_millis(policy.hold_ms);
    hold_before_ = hold_;
    const bool again = falls_ != 0 && now <= back_at_ + most;
    hold_ = again ? std::min(std::max(hold_ + hold_, least), most) : least;
    fell_at_ = now;
    down_ = true;
    ++falls_;
  }

  bool down_ = false;
  std::uint32_t falls_ = 0;
  Nanoseconds fell_at_{};
  Nanoseconds back_at_{};
  Nanoseconds hold_{};
  Nanoseconds hold_before_{};
};

}  // namespace penstock
