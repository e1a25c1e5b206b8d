// A value and when it was measured, on CLOCK_MONOTONIC. What nobody can measure is absent, never zero.
#pragma once

#include <algorithm>
#include <optional>

#include "penstock/base/units.h"

namespace penstock {

struct Measured {
  double value = 0;
  Nanoseconds at;
};
using Measurement = std::optional<Measured>;

/// Gateways treat what is older as absent.
inline constexpr Nanoseconds kFreshFor = Nanoseconds::from_seconds(2);

/// Sources on other threads may be a little ahead of `now`.
inline Nanoseconds age(const Measured& measured, Nanoseconds now) { return now - std::min(measured.at, now); }
inline bool is_fresh(const Measurement& measurement, Nanoseconds now) {
  return measurement && age(*measurement, now) < kFreshFor;
}

}  // namespace penstock
