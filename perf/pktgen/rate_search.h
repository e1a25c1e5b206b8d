// Throughput as RFC 2544 section 26.1 defines it: the highest rate at which nothing is lost. One trial as
// fast as possible bounds the search, halving finds the rate, and a longer trial confirms it; while that one
// loses packets the rate goes down by a tenth. A trial that loses packets is run a second time: on a host
// where the operating system can take a core away for a moment, one of two must be free of loss.
// Trials come from outside, so nothing here sends. Any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "perf/pktgen/latency_histogram.h"

namespace penstock::perf {

/// Offered = received + lost, and every packet that the device did not take is lost: its receiver's ring was
/// full, which on a wire is where packets vanish.
struct Trial {
  double wanted_pps = 0;  // 0: as fast as possible
  double seconds = 0;     // really spent sending
  std::uint64_t offered = 0;
  std::uint64_t received = 0;
  std::uint64_t refused = 0;       // of the lost: not taken by the device
  std::uint64_t offered_syns = 0;  // of the offered: spoofed SYNs
  std::uint64_t received_syns = 0;
  std::uint64_t offered_bytes = 0;  // with FCS
  std::uint64_t foreign = 0;        // came in, but nothing that was sent
  std::uint64_t misordered = 0;
  std::uint64_t moved = 0;
  double longest_pause_us = 0;  // of the generator itself: what the host took from it
  LatencyHistogram latency;     // TSC cycles

  [[nodiscard]] std::uint64_t lost() const { return offered > received ? offered - received : 0; }
  [[nodiscard]] double offered_pps() const {
    return seconds > 0 ? static_cast<double>(offered) / seconds : 0;
  }
  [[nodiscard]] double received_pps() const {
    return seconds > 0 ? static_cast<double>(received) / seconds : 0;
  }
};

struct SearchPlan {
  double trial_seconds = 2;
  double confirm_seconds = 10;
  unsigned halvings = 8;  // the answer is within 2^-8 of the bound
};

struct SearchResult {
  Trial confirmed;  // the last confirming trial; throughput() is its rate
  Trial flat_out;
  bool generator_limited = false;  // the generator could not offer more, so the throughput is at least this
  std::uint64_t misordered = 0;    // over all trials
  std::uint64_t moved = 0;
  std::uint64_t foreign = 0;
  unsigned trials = 0;

  /// Packets per second without loss; 0 if every rate that was tried lost some.
  [[nodiscard]] double throughput() const { return confirmed.lost() == 0 ? confirmed.received_pps() : 0; }
};

/// Runs one trial at packets per second (0: as fast as possible) for these seconds.
using RunTrial = std::function<Trial(double pps, double seconds)>;

[[nodiscard]] SearchResult find_throughput(const SearchPlan& plan, const RunTrial& run);

}  // namespace penstock::perf
