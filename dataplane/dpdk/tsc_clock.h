// Monotonic nanoseconds from the TSC: one multiplication instead of a system call. Anchored at
// CLOCK_MONOTONIC, from which it drifts by the error of the TSC's calibration (some ppm), which idle timeouts
// do not notice. Private to dpdk/ (it includes rte_*).
#pragma once

#include <rte_cycles.h>

#include <cstdint>

#include "penstock/base/clock.h"
#include "penstock/base/units.h"

namespace penstock {

class TscClock {
 public:
  TscClock()
      : anchor_tsc_(rte_rdtsc()),
        anchor_(monotonic_now()),
        per_cycle_((std::uint64_t{1'000'000'000} << kShift) / rte_get_tsc_hz()) {}

  [[nodiscard]] Nanoseconds at(std::uint64_t tsc) const noexcept { return anchor_ + span(tsc - anchor_tsc_); }
  [[nodiscard]] Nanoseconds span(std::uint64_t cycles) const noexcept {
    __extension__ using Wide = unsigned __int128;
    return Nanoseconds(static_cast<std::uint64_t>(static_cast<Wide>(cycles) * per_cycle_ >> kShift));
  }

 private:
  static constexpr unsigned kShift = 32;
  std::uint64_t anchor_tsc_;
  Nanoseconds anchor_;
  std::uint64_t per_cycle_;  // nanoseconds per cycle, in units of 2^-32
};

}  // namespace penstock
