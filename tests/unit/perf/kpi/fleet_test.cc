#include "perf/kpi/fleet.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace penstock::kpi {
namespace {

constexpr auto kCpu = static_cast<std::size_t>(load::Dimension::kCpu);

TEST(Fleet, OffersTheLoadThatWasPlanned) {
  FleetPlan plan;
  plan.load = 0.9;
  const auto scenario = fleet(plan, nullptr);
  EXPECT_NEAR(demand_of(scenario), 0.9 * free_cores(scenario), 1e-6 * free_cores(scenario));
}

TEST(Fleet, AFlashCrowdIsMoreOnAverage) {
  FleetPlan plan;
  const double before = demand_of(fleet(plan, nullptr));
  plan.flash_crowd = 1.25;
  EXPECT_GT(demand_of(fleet(plan, nullptr)), 1.01 * before);
}

TEST(Fleet, IdealWeightsFillNodesAlike) {
  auto scenario = fleet({}, nullptr);
  const double demand = demand_of(scenario);
  set_ideal_weights(scenario, demand);
  const auto& weights = scenario.services.front().weights;
  double sum = 0, least = 2, most = 0;
  for (const auto weight : weights) sum += weight;
  for (std::size_t i = 0; i < scenario.nodes.size(); ++i) {
    double level = demand * weights[i] / sum / scenario.nodes[i].capacity[kCpu];
    for (const auto& background : scenario.nodes[i].background) level += background.level.front().value;
    least = std::min(least, level);
    most = std::max(most, level);
  }
  EXPECT_NEAR(most, least, 0.005);
}

TEST(Fleet, IdealWeightsLeaveOutANodeThatOthersFill) {
  auto scenario = fleet({}, nullptr);
  scenario.nodes[0].background = {{.dimension = load::Dimension::kCpu, .level = {{0, 0.9}}}};
  set_ideal_weights(scenario, 0.3 * free_cores(scenario));
  EXPECT_EQ(scenario.services.front().weights[0], 0U);
  EXPECT_GT(scenario.services.front().weights[2], 0U);
}

}  // namespace
}  // namespace penstock::kpi
