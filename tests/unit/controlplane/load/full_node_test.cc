// What a node that is full may teach.
#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <random>

#include "controlplane/load/latency_estimate.h"
#include "controlplane/load/node_estimate.h"

namespace penstock::load {
namespace {

class FullNodeTest : public testing::Test {
 protected:
  FullNodeTest() : estimate_(ModelSettings{}) { estimate_.add(UnitCosts::Zero(), false); }

  /// A node that carries `flows` a second, at `cost` each, with a neighbour that takes `background`; no more
  /// than fits. Counts are noisy.
  void report(double flows, double cost, double background) {
    const double served = std::min(flows, (1 - background) / cost);
    const double counted = std::max(0.0, served * (1 + 0.02 * normal_(random_)));
    PerDimension utilization;
    utilization.fill(kAbsent);
    utilization[0] = std::min(1.0, background + flows * cost);
    const std::array traffic{Traffic{counted, 0.01 * counted, 0}};
    estimate_.learn(traffic, utilization);
  }
  [[nodiscard]] double cost_of_a_flow() const {
    const UnitCosts costs = estimate_.costs(0);
    return costs(0, 0) + 0.01 * costs(1, 0);
  }

  NodeEstimate estimate_;
  std::mt19937 random_{1};
  std::normal_distribution<double> normal_;
};

// How much is the neighbour's nobody can tell while it is full; that is no reason to send it everything.
TEST_F(FullNodeTest, DoesNotMakeTrafficCostNothingInTenSeconds) {
  for (int i = 0; i < 100; ++i) report(2000, 0.001, 0.3);
  EXPECT_GT(cost_of_a_flow(), 0.0004);
}

TEST_F(FullNodeTest, IsTakenForASlowerOneUntilTrafficTells) {
  for (int i = 0; i < 500; ++i) report(600 + 100 * (i % 3), 0.001, 0);
  for (int i = 0; i < 6; ++i) report(700, 0.002, 0);
  EXPECT_NEAR(cost_of_a_flow(), 0.002, 0.0005);
  EXPECT_LT(estimate_.background()[0], 0.2);
}

TEST(LatencyEstimate, ABaseOfNothingDoesNotKeepTheQueueTooLong) {
  LatencyEstimate estimate{ModelSettings{}};
  for (int i = 0; i < 50; ++i) estimate.learn(0.9, 10);
  for (int i = 0; i < 200; ++i) estimate.learn(0.1 + 0.001 * (i % 10), 0.002);
  EXPECT_LT(estimate.curve().at(0.1), 0.004);
}

}  // namespace
}  // namespace penstock::load
