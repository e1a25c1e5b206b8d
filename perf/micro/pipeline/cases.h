// What is measured. Every function answers nanoseconds of processor time per packet, one sample a repetition,
// with everything in them: making the packet (see harness()), the pipeline, the counters.
#pragma once

#include <cstddef>

#include "perf/micro/pipeline/world.h"
#include "perf/micro/report/figures.h"

namespace penstock::perf {

struct Plan {
  int repetitions = 15;
  std::size_t packets = 1'000'000;  // per repetition
};

/// Making packets and nothing else: what every figure below contains.
[[nodiscard]] Samples harness(const Plan& plan, std::size_t flows);
/// parse, and two MAC addresses rewritten: a pipeline that does nothing.
[[nodiscard]] Samples floor(const Plan& plan);
/// All stages, but Maglev instead of the flow table.
[[nodiscard]] Samples stateless(const Plan& plan, std::size_t flows);
[[nodiscard]] Samples not_vip(const Plan& plan);
/// Packets of established flows, in random order. Exits if one is not forwarded or counts as new.
[[nodiscard]] Samples established(const Plan& plan, WorldShape shape, std::size_t flows);
/// Every packet the SYN of a flow never seen. full: the table is full of other SYNs and each new one evicts.
[[nodiscard]] Samples new_flows(const Plan& plan, WorldShape shape, bool full);

/// Every packet in the middle of a flow never seen: sent with hops, and not entered. Exits if one is.
[[nodiscard]] Samples middle(const Plan& plan, WorldShape shape, std::size_t flows);

/// Bursts of established flows, timed by the TSC: alone, and each followed by a burst of a SYN flood.
struct FloodResult {
  Samples alone_ns;
  Samples flooded_ns;
  double burst_p99_us;  // alone
  std::uint64_t lost_or_moved;
};
[[nodiscard]] FloodResult flood(const Plan& plan, std::size_t flows);

/// Established flows whose packets arrive one by one on a schedule, `load` times as fast as bursts of 32 back
/// to back would pass. Each poll takes what has arrived, 32 packets at most.
struct LoadResult {
  Samples burst_p50_us;  // a burst from its first stage to its last counter
  Samples burst_p99_us;
  Samples arrival_p99_us;  // from its oldest packet's arrival: waiting and making the packets included
};
[[nodiscard]] LoadResult under_load(const Plan& plan, std::size_t flows, double load);

}  // namespace penstock::perf
