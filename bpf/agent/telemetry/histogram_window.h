// What a histogram that grows for ever has gained in the last while: copies of it, taken at a distance, to
// subtract. One thread.
#pragma once

#include <array>
#include <cstddef>

#include "bpf/agent/telemetry/histogram.h"
#include "penstock/base/units.h"

namespace penstock {

/// Copies are `spacing` ns apart at least, and reach back by `length` of them.
template <std::size_t length, std::uint64_t spacing>
class HistogramWindow {
 public:
  static constexpr Nanoseconds kSpan{length * spacing};

  HistogramWindow(Nanoseconds began, const Histogram& total) { copies_[0] = {began, total}; }

  /// `total`: all there has been until `now`. Returns what of it came in the last kSpan, or up to `spacing`
  /// longer ago.
  Histogram advance(Nanoseconds now, const Histogram& total) {
    const Copy& base = youngest_before(now - kSpan);
    Histogram gained;
    for (std::size_t i = 0; i < kBuckets; ++i) gained[i] = total[i] - base.histogram[i];
    if (now - copies_[newest_].at >= Nanoseconds(spacing)) {
      newest_ = (newest_ + 1) % copies_.size();
      if (held_ < copies_.size()) ++held_;
      copies_[newest_] = {now, total};
    }
    return gained;
  }

 private:
  struct Copy {
    Nanoseconds at;
    Histogram histogram{};
  };

  /// The oldest copy when all are younger.
  [[nodiscard]] const Copy& youngest_before(Nanoseconds limit) const {
    std::size_t index = newest_;
    for (std::size_t i = 1; i < held_ && copies_[index].at > limit; ++i) {
      index = (index + copies_.size() - 1) % copies_.size();
    }
    return copies_[index];
  }

  std::array<Copy, length + 1> copies_{};
  std::size_t newest_ = 0;
  std::size_t held_ = 1;
};

}  // namespace penstock
