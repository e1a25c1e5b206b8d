#include "controlplane/load/packing.h"

#include <gtest/gtest.h>

#include <random>

namespace penstock::load {
namespace {

// One service whose whole demand takes `load` nodes; busy power rises with the index.
SolverInput pool(std::size_t nodes, double load) {
  SolverInput in;
  in.nodes.resize(nodes);
  SolverService service;
  service.demand = 1000;
  service.objective.energy = 1;
  service.count = static_cast<std::uint32_t>(nodes);
  for (NodeIndex n = 0; n < nodes; ++n) {
    in.nodes[n].idle_watts = 100;
    in.nodes[n].busy_watts = 100 + n;
    SolverPlacement p;
    p.node = n;
    p.per_flow_rate[0] = load / service.demand;
    in.placements.push_back(p);
  }
  in.services.push_back(service);
  return in;
}

std::vector<bool> awake(const SolverInput& in) {
  std::vector<bool> out;
  for (const auto& node : in.nodes) out.push_back(node.awake);
  return out;
}

std::size_t awake_count(const SolverInput& in) {
  const auto list = awake(in);
  return static_cast<std::size_t>(std::count(list.begin(), list.end(), true));
}

/// As if the same input had come every ten seconds for long enough.
void settle(Packing& packing, SolverInput& in, double from = 0) {
  for (int i = 0; i <= 12; ++i) packing.apply(in, from + 10 * i);
}

TEST(Packing, ParksWhatIsNotNeededOnlyAfterTheHoldAndTheHungriestNodes) {
  Packing packing;
  SolverInput in = pool(10, 2.0);  // 4 nodes at a fill of 0.6
  packing.apply(in, 0);
  packing.apply(in, 59);
  EXPECT_EQ(awake_count(in), 10U);
  packing.apply(in, 60);
  EXPECT_EQ(awake(in), (std::vector<bool>{true, true, true, true, false, false, false, false, false, false}));
  EXPECT_EQ(packing.parked(), 6U);
}

TEST(Packing, WakesAtOnceWhenDemandRises) {
  Packing packing;
  SolverInput in = pool(10, 2.0);
  settle(packing, in);
  in.services[0].demand *= 2;  // 4 nodes full: 5 at a fill of 0.8
  packing.apply(in, 200);
  EXPECT_EQ(awake_count(in), 5U);
}

TEST(Packing, DoesNotSwingWithDemandBetweenItsTwoFills) {
  Packing packing;
  SolverInput in = pool(10, 2.0);
  settle(packing, in);
  const auto before = awake(in);
  for (int i = 0; i < 200; ++i) {
    in.services[0].demand = i % 2 ? 1150 : 950;
    packing.apply(in, 1000 + 30 * i);
    ASSERT_EQ(awake(in), before) << i;
  }
}

TEST(Packing, LeavesNodesAloneThatOtherPoliciesOrLeastSharesUse) {
  Packing packing;
  SolverInput in = pool(6, 0.5);
  in.placements[5].lower = 0.05;
  SolverService other = in.services[0];
  other.objective = {};
  other.first = 6, other.count = 1;
  other.demand = 1;
  SolverPlacement p;
  p.node = 4;
  in.placements.push_back(p);
  in.services.push_back(other);
  settle(packing, in);
  EXPECT_TRUE(in.nodes[4].awake && in.nodes[5].awake);
  EXPECT_EQ(awake_count(in), 2U);
}

TEST(Packing, KeepsTheLeastNumberOfEachServiceAwakeWithoutDemand) {
  Packing packing;
  SolverInput in = pool(8, 1);
  in.services[0].min_awake = 3;
  in.services[0].demand = 0;
  settle(packing, in);
  EXPECT_EQ(awake_count(in), 3U);
}

TEST(Packing, WakesAllAtOnceAndParksAgainOnlyAfterTheHold) {
  Packing packing({.hold_seconds = 10});
  SolverInput in = pool(8, 1);
  packing.apply(in, 0);
  packing.apply(in, 11);
  ASSERT_LT(awake_count(in), 8U);
  packing.wake_all(in);
  EXPECT_EQ(awake_count(in), 8U);
  packing.apply(in, 12);
  packing.apply(in, 20);
  EXPECT_EQ(awake_count(in), 8U);
  packing.apply(in, 23);
  EXPECT_LT(awake_count(in), 8U);
}

TEST(Packing, KeepsAllAwakeBeyondCapacityAndWithNumbersThatAreNone) {
  Packing packing;
  SolverInput in = pool(4, 5);
  settle(packing, in);
  EXPECT_EQ(awake_count(in), 4U);
  in = pool(4, 0.1);
  in.nodes[3].background[2] = kAbsent;
  settle(packing, in, 1000);
  EXPECT_TRUE(in.nodes[3].awake);
  in = pool(4, 0.1);
  in.services[0].demand = kAbsent;
  settle(packing, in, 2000);
  EXPECT_EQ(awake_count(in), 4U);
}

TEST(Packing, SwapsAnAwakeNodeForAParkedOneOnlyForEnoughPower) {
  Packing packing;
  SolverInput in = pool(2, 0.3);
  settle(packing, in);
  ASSERT_EQ(awake(in), (std::vector<bool>{true, false}));
  in.nodes[0].busy_watts = 120;  // 220 W against 201 W: not worth it
  settle(packing, in, 1000);
  EXPECT_EQ(awake(in), (std::vector<bool>{true, false}));
  in.nodes[0].busy_watts = 200;
  settle(packing, in, 2000);
  EXPECT_EQ(awake(in), (std::vector<bool>{false, true}));
}

// Whatever was parked, the solver must be able to hold capacity with the rest.
TEST(Packing, NeverParksWhatTheSolverNeeds) {
  std::mt19937_64 random(4);
  const auto uniform = [&](double low, double high) {
    return std::uniform_real_distribution<>(low, high)(random);
  };
  Solver solver;
  for (int i = 0; i < 300; ++i) {
    SolverInput in = pool(3 + random() % 10, 1);
    const std::size_t nodes = in.nodes.size();
    for (auto& node : in.nodes) node.background[0] = uniform(0, 0.3);
    in.services.push_back(in.services[0]);
    in.services[1].first = static_cast<std::uint32_t>(nodes);
    for (NodeIndex n = 0; n < nodes; ++n) in.placements.push_back(in.placements[n]);
    for (auto& p : in.placements)
      for (std::size_t k = 0; k < 3; ++k)
        p.per_flow_rate[k] = uniform(0, 0.25) * static_cast<double>(nodes) / 1000;
    SolverInput all = in;
    if (!solver.solve(all).feasible) continue;
    Packing packing, again;
    settle(packing, in);
    SolverInput twin = all;
    settle(again, twin);
    EXPECT_TRUE(solver.solve(in).feasible) << "seed 4, case " << i;
    EXPECT_EQ(awake(in), awake(twin));
  }
}

}  // namespace
}  // namespace penstock::load
