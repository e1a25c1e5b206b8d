// What a packet costs in bpf/decap.bpf.c (decap_cost.h). The bounds are wide, because the machine is shared:
// they catch what costs ten times as much. perf/micro/decap holds it against the targets.
#include "tests/unit/bpf/decap_cost.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <iomanip>
#include <iostream>

namespace penstock {
namespace {

TEST(DecapCost, IsSmall) {
  if (geteuid() != 0) GTEST_SKIP() << "loading a BPF program needs root";
  const auto costs = measure_decap({.batches = 7, .runs = 1000});
  ASSERT_FALSE(costs.empty());
  for (const Cost& cost : costs) {
    std::cout << std::setw(30) << std::left << cost.name << std::fixed << std::setprecision(0)
              << cost.net_ns() << " ns\n";
    const bool probe = cost.name.starts_with("probe.");
    EXPECT_LT(cost.net_ns(), cost.name.ends_with(".warm") ? 1500 : probe ? 15'000 : 4000) << cost.name;
  }
}

}  // namespace
}  // namespace penstock
