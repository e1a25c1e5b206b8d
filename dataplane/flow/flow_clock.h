// The flow table's coarse time, and how long a silent flow of one service is kept.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "penstock/base/units.h"
#include "penstock/config/limits.h"

namespace penstock {

/// Coarse monotonic time: one tick is 2^27 ns, about 0.134 s, so that a shift converts. 32 bits last 18
/// years. A table that outlives its process needs ticks from a clock that does too (CLOCK_MONOTONIC).
using Tick = std::uint32_t;

inline constexpr unsigned kTickShift = 27;
constexpr Tick tick_of(Nanoseconds now) noexcept { return static_cast<Tick>(now.count() >> kTickShift); }

/// What decides how long a silent flow is kept. The values index IdleTicks.
enum class IdleClass : std::uint8_t { kClosing = 0, kEstablished = 1, kSyn = 2, kUdp = 3 };

/// One service's idle timeouts in ticks, precomputed when a snapshot is compiled.
/// A refresh is written only when it gains a sixteenth of the timeout, which keeps the cache line of a busy
/// flow clean; the stored ticks are longer by that sixteenth and the rounding. So a flow is kept at least for
/// its timeout, and at most 1/15 and 4 ticks longer.
class IdleTicks {
 public:
  /// Seconds outside 1–kMaxIdleTimeoutSeconds are clamped: refusing them is the configuration's work.
  static constexpr IdleTicks from_seconds(std::uint32_t syn, std::uint32_t established, std::uint32_t closing,
                                          std::uint32_t udp) noexcept {
    IdleTicks idle;
    idle.ticks_ = {ticks(closing), ticks(established), ticks(syn), ticks(udp)};
    return idle;
  }

  [[nodiscard]] constexpr Tick of(IdleClass c) const noexcept { return ticks_[static_cast<std::size_t>(c)]; }
  /// The least gain of expiry time that is worth a write.
  static constexpr Tick refresh_step(Tick idle) noexcept { return idle / 16 + 1; }

 private:
  static constexpr Tick ticks(std::uint32_t seconds) noexcept {
    const std::uint64_t bounded = std::clamp<std::uint64_t>(seconds, 1, kMaxIdleTimeoutSeconds);
    const std::uint64_t exact = (bounded * 1'000'000'000 >> kTickShift) + 1;
    return static_cast<Tick>(exact + exact / 15 + 2);
  }

  std::array<Tick, 4> ticks_{};
};

static_assert(sizeof(IdleTicks) == 16, "four services' timeouts in one cache line");

/// No IdleTicks holds more than this.
inline constexpr Tick kMaxIdleTicks =
    IdleTicks::from_seconds(kMaxIdleTimeoutSeconds, 1, 1, 1).of(IdleClass::kSyn);

}  // namespace penstock
