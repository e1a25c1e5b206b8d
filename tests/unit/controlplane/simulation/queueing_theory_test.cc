// The engine against closed forms of processor sharing (Kleinrock, "Queueing Systems" vol. 2, section 4.4).
#include <gtest/gtest.h>

#include "tests/unit/controlplane/simulation/scenarios.h"

namespace penstock::simulation {
namespace {

/// 100 independent queues: their mean has a hundredth of one's variance in as much simulated time.
Scenario queues(double rho, SizeDistribution size, double flows) {
  constexpr double kNodes = 100;
  Scenario scenario =
      fleet(static_cast<std::size_t>(kNodes), rho * kNodes, flows * kFlowShare / (rho * kNodes));
  scenario.warmup = scenario.duration * 0.1;
  scenario.judged_share = 0;
  scenario.services[0].size = std::move(size);
  return scenario;
}

class ProcessorSharing : public testing::TestWithParam<double> {};
INSTANTIATE_TEST_SUITE_P(Rho, ProcessorSharing, testing::Values(0.5, 0.8));

TEST_P(ProcessorSharing, MeanResponseOfMM1IsOneOverMuMinusLambda) {
  const double rho = GetParam();
  const RunResult result = run_static(queues(rho, SizeDistribution::exponential(1), 5e5));
  EXPECT_NEAR(result.latency.mean() * (1 - rho), 1, kTolerance);
}

TEST_P(ProcessorSharing, MeanResponseOfMG1IsThatOfMM1WhateverTheSizes) {
  const double rho = GetParam();
  const RunResult pareto = run_static(queues(rho, SizeDistribution::bounded_pareto(1.5, 100, 1), 5e5));
  EXPECT_NEAR(pareto.latency.mean() * (1 - rho), 1, kTolerance);
  const RunResult constant = run_static(queues(rho, SizeDistribution::deterministic(1), 3e5));
  EXPECT_NEAR(constant.latency.mean() * (1 - rho), 1, kTolerance);
}

// Two services of one node that differ in size only: each has E[T|x] = x / (1 - rho).
TEST_P(ProcessorSharing, ResponseOfASizeIsInProportionToIt) {
  const double rho = GetParam();
  Scenario scenario = queues(rho, SizeDistribution::deterministic(0.5), 5e5);
  scenario.services[0].arrivals = ArrivalProcess::poisson(rho * 100);
  scenario.services.push_back(scenario.services[0]);
  scenario.services[1].size = SizeDistribution::deterministic(2);
  scenario.services[1].arrivals = ArrivalProcess::poisson(rho * 25);
  const RunResult result = run_static(scenario);
  EXPECT_NEAR(result.services[0].latency.mean() * (1 - rho) / 0.5, 1, kTolerance);
  EXPECT_NEAR(result.services[1].latency.mean() * (1 - rho) / 2, 1, kTolerance);
}

TEST_P(ProcessorSharing, FlowsInTheNodesAreRateTimesResponse) {
  const double rho = GetParam();
  const RunResult result = run_static(queues(rho, SizeDistribution::exponential(1), 3e5));
  double active = 0;
  for (double mean : result.mean_active) active += mean;
  EXPECT_NEAR(active / (rho * 100 * result.latency.mean()), 1, kTolerance);
}

TEST_P(ProcessorSharing, UtilizationIsRho) {
  const double rho = GetParam();
  EXPECT_NEAR(run_static(queues(rho, SizeDistribution::exponential(1), 3e5)).mean_utilization() / rho, 1,
              kTolerance);
}

}  // namespace
}  // namespace penstock::simulation
