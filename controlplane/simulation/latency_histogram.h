// Counts of latencies in buckets of 1/64 of an octave and better: relative error below 1.6 %, 1 ns to 2^33 s.
#pragma once

#include <cstdint>
#include <vector>

namespace penstock::simulation {

class LatencyHistogram {
 public:
  LatencyHistogram();
  void add(double seconds);
  void add(const LatencyHistogram& other);
  [[nodiscard]] std::uint64_t count() const { return count_; }
  /// Exact, not from buckets. 0 if empty.
  [[nodiscard]] double mean() const { return count_ ? sum_ / static_cast<double>(count_) : 0; }
  /// q in 0-1: the middle of the bucket that holds the quantile. 0 if empty. `endless` more values lie above
  /// all others: infinite if one of those is the quantile.
  [[nodiscard]] double quantile(double q, std::uint64_t endless = 0) const;
  [[nodiscard]] const std::vector<std::uint64_t>& buckets() const { return buckets_; }

 private:
  std::vector<std::uint64_t> buckets_;
  std::uint64_t count_ = 0;
  double sum_ = 0;
};

}  // namespace penstock::simulation
