// Times in buckets that grow with them: exact below 64, then 32 buckets to each doubling, so that a quantile
// is at most 3.2 % too high. Minimum, maximum and mean are exact. The unit is the caller's. One thread.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace penstock::perf {

class LatencyHistogram {
 public:
  void add(std::uint64_t value) noexcept {
    ++buckets_[bucket_of(value)];
    ++count_;
    sum_ += value;
    min_ = std::min(min_, value);
    max_ = std::max(max_, value);
  }

  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] std::uint64_t min() const { return count_ == 0 ? 0 : min_; }
  [[nodiscard]] std::uint64_t max() const { return max_; }
  [[nodiscard]] double mean() const {
    return count_ == 0 ? 0 : static_cast<double>(sum_) / static_cast<double>(count_);
  }

  /// The largest value of the bucket in which the q-th part of all values (0 < q <= 1) ends; at most max().
  [[nodiscard]] std::uint64_t quantile(double q) const {
    const auto wanted = static_cast<std::uint64_t>(q * static_cast<double>(count_) + 0.999999);
    std::uint64_t seen = 0;
    for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
      seen += buckets_[bucket];
      if (seen >= wanted && seen != 0) return std::min(last_of(bucket), max_);
    }
    return max_;
  }

 private:
  static constexpr unsigned kFineBits = 5;
  static constexpr std::size_t kExact = std::size_t{2} << kFineBits;

  static std::size_t bucket_of(std::uint64_t value) noexcept {
    if (value < kExact) return value;
    const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - 1 - kFineBits;
    return (static_cast<std::size_t>(shift) << kFineBits) + static_cast<std::size_t>(value >> shift);
  }
  static std::uint64_t last_of(std::size_t bucket) noexcept {
    if (bucket < kExact) return bucket;
    const unsigned shift = static_cast<unsigned>(bucket >> kFineBits) - 1;
    const std::uint64_t fine = bucket - (static_cast<std::size_t>(shift) << kFineBits);
    return ((fine + 1) << shift) - 1;
  }

  std::array<std::uint64_t, (64 - kFineBits + 1) << kFineBits> buckets_{};
  std::uint64_t count_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t min_ = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t max_ = 0;
};

}  // namespace penstock::perf
