// The wall clock, for deadlines that people set. It may be set back; to measure, take clock.h's.
#pragma once

#include <cstdint>
#include <ctime>

#include "penstock/base/units.h"

namespace penstock {

/// Since 1970.
inline Nanoseconds unix_now() noexcept {
  timespec ts{};
  clock_gettime(CLOCK_REALTIME, &ts);
  return Nanoseconds::from_seconds(static_cast<std::uint64_t>(ts.tv_sec)) +
         Nanoseconds(static_cast<std::uint64_t>(ts.tv_nsec));
}

inline std::uint64_t unix_seconds_now() noexcept { return static_cast<std::uint64_t>(std::time(nullptr)); }

}  // namespace penstock
