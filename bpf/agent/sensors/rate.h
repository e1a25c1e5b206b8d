// How fast counters grow: the difference over a window of the last readings, so that a share of a short time
// is not coarser than the kernel's ticks.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "penstock/base/units.h"

namespace penstock {

/// Growth of `Counters` counters between the oldest reading of the last `kSteps` + 1 and the newest.
template <std::size_t Counters, std::size_t kSteps = 1>
class Growth {
 public:
  struct Step {
    std::array<std::uint64_t, Counters> counters;
    Nanoseconds elapsed;
  };

  /// Nothing on the first reading, without time in between, and when a counter went back (then it starts
  /// anew).
  std::optional<Step> add(const std::array<std::uint64_t, Counters>& counters, Nanoseconds now) {
    if (used_ > 0) {
      const Reading& last = readings_[(next_ + kSteps) % (kSteps + 1)];
      for (std::size_t i = 0; i < Counters; ++i) {
        if (counters[i] < last.counters[i]) used_ = 0;
      }
      if (now <= last.at) return std::nullopt;
    }
    const Reading oldest = readings_[(next_ + kSteps + 1 - used_) % (kSteps + 1)];
    const bool first = used_ == 0;
    readings_[next_] = {counters, now};
    next_ = (next_ + 1) % (kSteps + 1);
    if (used_ < kSteps) ++used_;
    if (first) return std::nullopt;
    Step step{{}, now - oldest.at};
    for (std::size_t i = 0; i < Counters; ++i) step.counters[i] = counters[i] - oldest.counters[i];
    return step;
  }

  void forget() { used_ = 0; }

 private:
  struct Reading {
    std::array<std::uint64_t, Counters> counters{};
    Nanoseconds at;
  };
  std::array<Reading, kSteps + 1> readings_{};
  std::size_t next_ = 0;
  std::size_t used_ = 0;  // readings that count, at most kSteps (the next one makes kSteps + 1)
};

/// Parts of whole; nothing of nothing.
inline std::optional<double> share_of(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) return std::nullopt;
  return static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace penstock
