#include "controlplane/simulation/latency_histogram.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace penstock::simulation {
namespace {
constexpr int kPerOctave = 64, kLowestOctave = -30, kHighestOctave = 33;
constexpr std::size_t kBuckets = static_cast<std::size_t>(kHighestOctave - kLowestOctave) * kPerOctave;
}  // namespace

LatencyHistogram::LatencyHistogram() : buckets_(kBuckets) {}

void LatencyHistogram::add(double seconds) {
  int exponent = 0;
  const double fraction =
      std::frexp(std::max(seconds, std::ldexp(1.0, kLowestOctave)), &exponent);  // in [1/2, 1)
  const int bucket =
      (exponent - 1 - kLowestOctave) * kPerOctave + static_cast<int>((fraction * 2 - 1) * kPerOctave);
  ++buckets_[std::min<std::size_t>(static_cast<std::size_t>(bucket), kBuckets - 1)];
  ++count_;
  sum_ += seconds;
}

void LatencyHistogram::add(const LatencyHistogram& other) {
  for (std::size_t i = 0; i < kBuckets; ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  sum_ += other.sum_;
}

double LatencyHistogram::quantile(double q, std::uint64_t endless) const {
  if (count_ + endless == 0) return 0;
  const auto rank = static_cast<std::uint64_t>(std::ceil(q * static_cast<double>(count_ + endless)));
  if (rank > count_) return std::numeric_limits<double>::infinity();
  std::uint64_t seen = 0;
  std::size_t bucket = 0;
  for (; bucket + 1 < kBuckets; ++bucket) {
    seen += buckets_[bucket];
    if (seen >= rank && seen > 0) break;
  }
  const int octave = static_cast<int>(bucket) / kPerOctave + kLowestOctave;
  const double within = (static_cast<double>(bucket % kPerOctave) + 0.5) / kPerOctave;
  return std::ldexp(1 + within, octave);
}

}  // namespace penstock::simulation
