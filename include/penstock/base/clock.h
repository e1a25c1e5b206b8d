// The monotonic clock off the hot path. The dataplane's workers derive their time from the TSC instead.
#pragma once

#include <ctime>

#include "penstock/base/units.h"

namespace penstock {

inline Nanoseconds monotonic_now() noexcept {
  timespec ts{};
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return Nanoseconds::from_seconds(static_cast<std::uint64_t>(ts.tv_sec)) +
         Nanoseconds(static_cast<std::uint64_t>(ts.tv_nsec));
}

}  // namespace penstock
