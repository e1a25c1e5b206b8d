// A worker's time: CLOCK_MONOTONIC's nanoseconds from the TSC, by one multiplication instead of a call.
// Ticks in flow tables are compared by later processes, so the clock may not drift away: several times a
// second it is set by CLOCK_MONOTONIC anew (DPDK's idea of the TSC's frequency can be wrong by 0.2 %, minutes
// a day). One thread. Private to dpdk/ (it includes rte_*).
#pragma once

#include <rte_cycles.h>

#include <algorithm>
#include <cstdint>

#include "penstock/base/clock.h"
#include "penstock/base/units.h"

namespace penstock {

class TscClock {
 public:
  TscClock()
      : per_cycle_((std::uint64_t{1'000'000'000} << kShift) / rte_get_tsc_hz()),
        cycles_per_setting_(rte_get_tsc_hz() / kSettingsPerSecond) {
    set();
  }

  /// tsc: read recently, never before that of the last call. Never goes back.
  [[nodiscard]] Nanoseconds at(std::uint64_t tsc) noexcept {
    const std::uint64_t cycles = tsc - anchor_tsc_;
    if (cycles > cycles_per_setting_) [[unlikely]] {
      set();
      return latest_;
    }
    latest_ = std::max(latest_, anchor_ + span(cycles));
    return latest_;
  }
  [[nodiscard]] Nanoseconds span(std::uint64_t cycles) const noexcept {
    __extension__ using Wide = unsigned __int128;
    return Nanoseconds(static_cast<std::uint64_t>(static_cast<Wide>(cycles) * per_cycle_ >> kShift));
  }

 private:
  static constexpr unsigned kShift = 32;
  static constexpr unsigned kSettingsPerSecond = 8;

  void set() noexcept {
    anchor_tsc_ = rte_rdtsc();
    anchor_ = monotonic_now();
    latest_ = std::max(latest_, anchor_);
  }

  std::uint64_t per_cycle_;  // nanoseconds per cycle, in units of 2^-32
  std::uint64_t cycles_per_setting_;
  std::uint64_t anchor_tsc_ = 0;
  Nanoseconds anchor_{};
  Nanoseconds latest_{};
};

}  // namespace penstock
