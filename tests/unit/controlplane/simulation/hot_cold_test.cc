#include "controlplane/simulation/policies/hot_cold.h"

#include <gtest/gtest.h>

#include "tests/unit/controlplane/simulation/scenarios.h"

namespace penstock::simulation {
namespace {

TEST(Heat, IsOnAtOnceAndOffAfterTwoAnswersBelow) {
  Heat heat;
  heat.hear(0.05, 0.1, 0.1);
  EXPECT_EQ(heat.rank(), 0u);
  heat.hear(0.2, 0.1, 0.1);
  EXPECT_TRUE(heat.late());
  heat.hear(0.09, 0.1, 0.1);  // below the threshold, not below 80 % of it
  heat.hear(0.05, 0.1, 0.1);
  EXPECT_TRUE(heat.late());
  heat.hear(0.05, 0.1, 0.1);
  EXPECT_FALSE(heat.late());
}

TEST(Heat, TellsLevelsOfLateApartAndHoldsUnheardOnesForWhatTheyWere) {
  Heat late, later, busy;
  late.hear(0.2, 0.1, 0.1);
  later.hear(0.4, 0.1, 0.1);
  busy.hear(0.05, 0.95, 0.1);
  EXPECT_GT(later.rank(), late.rank());
  EXPECT_GT(late.rank(), busy.rank());
  EXPECT_GT(busy.rank(), 0u);
  for (int i = 0; i < 5; ++i) late.hear(load::kAbsent, 0.1, 0.1);
  EXPECT_TRUE(late.late());
}

// Node 0 is a tenth of what its weight says: it is busy for good, and its flows go to the others.
TEST(HotCold, TakesNewFlowsFromAHotNodeAndMovesNoOther) {
  Scenario scenario = fleet(4, 1000, 30 * (kFlowShare < 1 ? 0.3 : 1));
  scenario.services[0].size = SizeDistribution::exponential(1e-3);
  scenario.nodes[0].capacity[0] = 0.1;
  StaticWeights weights;
  const RunResult cold = run(scenario, weights);
  HotCold policy(weights);
  const RunResult hot = run(scenario, policy);
  EXPECT_EQ(hot.policy, "static+hot-cold");
  EXPECT_LT(hot.placed[0], cold.placed[0] / 2);
  EXPECT_GT(hot.placed[0], 0u);
  EXPECT_LT(hot.latency.quantile(0.99), cold.latency.quantile(0.99) / 5);
  EXPECT_EQ(hot.moved_flows, 0u);
}

TEST(HotCold, LeavesFlowsWhereTheyHashWhileNobodyIsHot) {
  Scenario scenario = fleet(4, 100, 20);
  scenario.services[0].size = SizeDistribution::deterministic(1e-4);
  StaticWeights weights;
  HotCold policy(weights);
  EXPECT_EQ(run(scenario, policy).placed, run(scenario, weights).placed);
}

}  // namespace
}  // namespace penstock::simulation
