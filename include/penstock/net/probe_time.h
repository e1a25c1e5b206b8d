// PENSTOCK_PROBE_TIME, the 16-bit form of a time in which probes carry it (penstock/abi/probe.h): 11 bits of
// mantissa, 5 of exponent. Host order. Any thread.
#pragma once

#include <bit>
#include <cstdint>

#include "penstock/abi/probe.h"

namespace penstock {

/// The longest time that can be said, about 51 days: one below PENSTOCK_PROBE_NO_VALUE.
inline constexpr std::uint16_t kLongestProbeTime = PENSTOCK_PROBE_NO_VALUE - 1;

/// At most 0.1 % too small; what is longer than kLongestProbeTime becomes that.
[[nodiscard]] constexpr std::uint16_t to_probe_time(std::uint64_t us) {
  const int bits = std::bit_width(us);
  const int exponent = bits > 11 ? bits - 11 : 0;
  if (exponent > 31) return kLongestProbeTime;
  const auto time = static_cast<std::uint16_t>(exponent << 11 | static_cast<int>(us >> exponent));
  return time < kLongestProbeTime ? time : kLongestProbeTime;
}

/// In microseconds. PENSTOCK_PROBE_NO_VALUE is no time: ask before.
[[nodiscard]] constexpr std::uint64_t from_probe_time(std::uint16_t time) {
  return PENSTOCK_PROBE_TIME_US(time);
}

}  // namespace penstock
