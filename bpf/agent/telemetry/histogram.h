// The log-linear histograms of include/penstock/abi/telemetry.h: bucket to time and back, quantiles.
//
// A time in microseconds lies in the bucket of its own number below 8, above in one of 8 buckets an octave; a
// bucket stands for its middle, so a quantile is at most 1/16 off. Pure functions, any thread.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "penstock/abi/telemetry.h"

namespace penstock {

inline constexpr std::size_t kBuckets = PENSTOCK_TELEMETRY_BUCKETS;

/// Numbers of events by duration. The kernel's ones grow for ever and wrap; differences are right.
using Histogram = std::array<std::uint32_t, kBuckets>;

/// As note_time() of bpf/telemetry_service.bpf.h does it.
constexpr std::size_t bucket_of(std::uint64_t us) {
  if (us < PENSTOCK_TELEMETRY_OCTAVE) return us;
  const auto e = static_cast<std::size_t>(std::bit_width(us)) - 1;
  if (e > 26) return kBuckets - 1;
  return ((e - 2) << 3) + ((us >> (e - 3)) & 7);
}

/// The middle of a bucket.
constexpr double microseconds_of(std::size_t bucket) {
  if (bucket < PENSTOCK_TELEMETRY_OCTAVE) return static_cast<double>(bucket) + 0.5;
  const std::size_t e = (bucket >> 3) + 2;
  const auto width = static_cast<double>(std::uint64_t{1} << (e - 3));
  return (8.5 + static_cast<double>(bucket & 7)) * width;
}

inline std::uint64_t total_of(const Histogram& histogram) {
  std::uint64_t total = 0;
  for (const std::uint32_t n : histogram) total += n;
  return total;
}

/// The bucket that holds the q-quantile (0 < q <= 1) of `total` events, which is not zero.
inline std::size_t quantile_bucket(const Histogram& histogram, std::uint64_t total, double q) {
  const double rank = q * static_cast<double>(total);
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    seen += histogram[i];
    if (seen > 0 && static_cast<double>(seen) >= rank) return i;
  }
  return kBuckets - 1;
}

}  // namespace penstock
