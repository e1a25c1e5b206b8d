// How often a worker answers in the VIPs' name. What anybody may ask for must not cost more than this,
// whoever asks how often (RFC 4443, section 2.4 f; RFC 1812, section 4.3.2.8).
#pragma once

#include <algorithm>
#include <cstdint>

#include "penstock/base/units.h"

namespace penstock {

inline constexpr std::uint64_t kAnswersPerSecond = 1'000;
inline constexpr std::uint64_t kAnswersAtOnce = 100;

/// A token bucket, full at first. One per worker and kind of answer; not thread-safe.
class AnswerBudget {
 public:
  /// May one more answer be given? `now`: monotonic.
  [[nodiscard]] bool take(Nanoseconds now) noexcept {
    const std::uint64_t passed = now > last_ ? (now - last_).count() : 0;
    last_ = std::max(last_, now);
    credit_ = std::min(kMost, credit_ + std::min(passed, kMost));
    if (credit_ < kCost) return false;
    credit_ -= kCost;
    return true;
  }

 private:
  // Both in nanoseconds of waiting.
  static constexpr std::uint64_t kCost = 1'000'000'000 / kAnswersPerSecond;
  static constexpr std::uint64_t kMost = kAnswersAtOnce * kCost;

  Nanoseconds last_{};
  std::uint64_t credit_ = kMost;
};

}  // namespace penstock
