// The last half second of something that is measured again and again: what a counter was at a moment, what a
// value was on average. Sources of several kinds speak at moments of their own; over a window they compare.
// Plain value, no clock: times are the caller's, in seconds.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

namespace penstock {

class SampleWindow {
 public:
  /// Seconds between samples that are kept: what comes sooner replaces the last, so that many sources of one
  /// value cannot push its past out.
  static constexpr double kApart = 0.04;
  static constexpr std::size_t kSamples = 16;

  /// Times before the newest's are left out.
  void push(double time, double value) {
    if (count_ > 0 && time < newest()) return;
    if (count_ > 1 && time - sample(count_ - 2).time < kApart) {
      sample(count_ - 1) = {time, value};
      return;
    }
    if (count_ < kSamples) {
      ++count_;
    } else {
      first_ = (first_ + 1) % kSamples;
    }
    sample(count_ - 1) = {time, value};
  }
  void clear() { count_ = 0; }

  [[nodiscard]] bool empty() const { return count_ == 0; }
  // Not of an empty window, all of the following.
  [[nodiscard]] double oldest() const { return sample(0).time; }
  [[nodiscard]] double newest() const { return sample(count_ - 1).time; }
  [[nodiscard]] double last() const { return sample(count_ - 1).value; }

  /// Of a counter: on the line between two samples; the nearest sample's beyond them.
  [[nodiscard]] double at(double time) const {
    std::size_t after = 0;
    while (after < count_ && sample(after).time < time) ++after;
    if (after == 0) return sample(0).value;
    if (after == count_) return last();
    const Sample& a = sample(after - 1);
    const Sample& b = sample(after);
    return a.value + (b.value - a.value) * (time - a.time) / (b.time - a.time);
  }

  /// Of a value that was measured over the time since the sample before: its mean since `from`, until the
  /// newest.
  [[nodiscard]] double mean_since(double from) const {
    double sum = 0;
    double seconds = 0;
    for (std::size_t i = count_; i-- > 1 && sample(i).time > from;) {
      const double part = sample(i).time - std::max(from, sample(i - 1).time);
      sum += part * sample(i).value;
      seconds += part;
    }
    return seconds > 0 ? sum / seconds : last();
  }

 private:
  struct Sample {
    double time = 0;
    double value = 0;
  };
  [[nodiscard]] Sample& sample(std::size_t i) { return samples_[(first_ + i) % kSamples]; }
  [[nodiscard]] const Sample& sample(std::size_t i) const { return samples_[(first_ + i) % kSamples]; }

  std::array<Sample, kSamples> samples_{};
  std::size_t first_ = 0;
  std::size_t count_ = 0;
};

}  // namespace penstock
