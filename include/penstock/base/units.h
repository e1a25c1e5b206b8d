// Quantities that must not be mixed up. Construction is explicit and only the named accessor unwraps.
#pragma once

#include <compare>
#include <cstdint>

namespace penstock {

/// A point on, or a distance along, the monotonic clock.
class Nanoseconds {
 public:
  constexpr Nanoseconds() = default;
  explicit constexpr Nanoseconds(std::uint64_t count) : count_(count) {}
  static constexpr Nanoseconds from_micros(std::uint64_t us) { return Nanoseconds(us * 1'000); }
  static constexpr Nanoseconds from_millis(std::uint64_t ms) { return Nanoseconds(ms * 1'000'000); }
  static constexpr Nanoseconds from_seconds(std::uint64_t s) { return Nanoseconds(s * 1'000'000'000); }

  [[nodiscard]] constexpr std::uint64_t count() const { return count_; }
  constexpr auto operator<=>(const Nanoseconds&) const = default;
  friend constexpr Nanoseconds operator+(Nanoseconds a, Nanoseconds b) {
    return Nanoseconds(a.count_ + b.count_);
  }
  friend constexpr Nanoseconds operator-(Nanoseconds a, Nanoseconds b) {
    return Nanoseconds(a.count_ - b.count_);
  }

 private:
  std::uint64_t count_ = 0;
};

}  // namespace penstock
