// What a packet costs in bpf/decap.bpf.c, beside a program that only says XDP_TX: the kernel's own run-time
// statistics of both, in turns, so that a machine that is slower for a second is so for both. For a test and
// for a benchmark (perf/micro/decap).
//
// Two ways to run. Warm: the same frames over and over, for packets that the program leaves such that the
// next run sees the same (that is arranged below). Alone: one packet a system call, for those that change;
// caches are cold then, as between packets of a quiet host.
//
// Needs root. One thread, which it leaves in a network namespace of its own. Failures are GoogleTest's.
#pragma once

#include <string>
#include <vector>

namespace penstock {

struct CostPlan {
  int batches = 15;
  int runs = 2000;  // a batch, alone; warm ten times as many
};

struct Cost {
  std::string name;              // "gue.no_hops.warm"
  std::vector<double> ours_ns;   // a batch each
  std::vector<double> floor_ns;  // the empty program, in the same order

  /// Median over the batches of what is left without the floor.
  [[nodiscard]] double net_ns() const;
};

[[nodiscard]] std::vector<Cost> measure_decap(const CostPlan& plan);

}  // namespace penstock
