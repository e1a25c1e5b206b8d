// Ages of observations in answers.
#pragma once

#include <cmath>

#include "penstock/base/clock.h"

namespace penstock {

/// Seconds since `then` on the monotonic clock, to a tenth.
inline double seconds_ago(Nanoseconds then) {
  const Nanoseconds now = monotonic_now();
  if (then >= now) return 0;
  return std::round(static_cast<double>((now - then).count()) / 1e8) / 10;
}

}  // namespace penstock
