#include "controlplane/simulation/simulator.h"

#include <gtest/gtest.h>

#include "tests/unit/controlplane/simulation/scenarios.h"

namespace penstock::simulation {
namespace {

constexpr auto kNet = static_cast<std::size_t>(Dimension::kNetworkOut);
constexpr auto kMemory = static_cast<std::size_t>(Dimension::kMemory);

/// Sets the weights of service 0 once.
class SetOnce final : public Policy {
 public:
  SetOnce(double when, std::vector<std::uint32_t> weights) : when_(when), weights_(std::move(weights)) {}
  [[nodiscard]] std::string name() const override { return "set once"; }
  void start(const View& view) override {}
  [[nodiscard]] double period() const override { return when_; }
  void step(double now, Actions& actions) override { actions.set_weights(0, weights_); }

 private:
  double when_;
  std::vector<std::uint32_t> weights_;
};

/// Parks node 1 at the first step and wakes it at the second.
class ParkAndWake final : public Policy {
 public:
  [[nodiscard]] std::string name() const override { return "park and wake"; }
  void start(const View& view) override {}
  [[nodiscard]] double period() const override { return 10; }
  void step(double now, Actions& actions) override {
    if (now < 15)
      actions.park(1);
    else
      actions.wake(1);
  }
};

TEST(Simulator, JudgesPlacementByWhatIsSentWhateverTheSizes) {
  // Four times the flows on the first of two alike.
  std::vector<double> times, sizes;
  for (int i = 0; i < 4000; ++i) {
    times.push_back(0.005 * i);
    sizes.push_back(0.001);
  }
  Scenario scenario = script(2, times, sizes, 20);
  scenario.services[0].weights = {4, 1};
  scenario.judged_share = 1;
  const RunResult result = run_static(scenario);
  EXPECT_GT(result.judged_flows, 3000u);
  EXPECT_NEAR(static_cast<double>(result.well_placed_by_expectation),
              0.2 * static_cast<double>(result.judged_flows),
              0.05 * static_cast<double>(result.judged_flows));
}

TEST(Simulator, SharesANodeAmongItsFlows) {
  // The first has 1 s alone and 2 s at half speed; the second then has the node for itself again.
  const RunResult result = run_static(script(1, {0, 1}, {2, 2}));
  EXPECT_EQ(result.latency.count(), 2u);
  EXPECT_DOUBLE_EQ(result.latency.mean(), 3);
}

TEST(Simulator, TheSlowestResourceDecides) {
  Scenario scenario = script(1, {0}, {2});
  scenario.nodes[0].capacity[kNet] = 10;
  scenario.services[0].work[kNet] = 40;
  EXPECT_DOUBLE_EQ(run_static(scenario).latency.mean(), 8);
}

TEST(Simulator, WhatOneServiceCannotUseTheOtherGets) {
  Scenario scenario = script(1, {0}, {3});
  scenario.nodes[0].capacity[kNet] = 1;
  scenario.services[0].work[kNet] = 4;  // bound by the network, uses a quarter of the CPU
  scenario.services.push_back(scenario.services[0]);
  scenario.services[1].work[kNet] = 0;
  const RunResult result = run_static(scenario);
  // Equal dominant shares of 0.8: the second has 0.8 of the CPU, not half of it, for 3.75 s; the first then
  // has 9 s alone.
  EXPECT_DOUBLE_EQ(result.services[1].latency.mean(), 3.75);
  EXPECT_DOUBLE_EQ(result.services[0].latency.mean(), 12.75);
}

TEST(Simulator, AFlowUsesNoMoreThanItsCore) {
  Scenario scenario = script(1, {0, 0}, {2, 2});
  scenario.nodes[0].capacity[0] = 8;
  scenario.nodes[0].most_cpu_per_flow = 1;
  EXPECT_DOUBLE_EQ(run_static(scenario).latency.mean(), 2);
}

TEST(Simulator, ANodeWithoutMemoryPages) {
  Scenario scenario = script(1, {0, 0}, {1, 1});
  scenario.nodes[0].capacity[kMemory] = 1;
  scenario.services[0].work[kMemory] = 1;
  EXPECT_DOUBLE_EQ(run_static(scenario).latency.mean(), 4);
}

TEST(Simulator, BackgroundTakesItsShareOfTheCapacity) {
  Scenario scenario = script(1, {0}, {2});
  scenario.nodes[0].background.push_back({.dimension = Dimension::kCpu, .level = {{1, 0.5}}});
  EXPECT_DOUBLE_EQ(run_static(scenario).latency.mean(), 3);
}

TEST(Simulator, LostCapacitySlowsWhatRuns) {
  Scenario scenario = script(1, {0}, {2});
  scenario.faults.push_back(
      {.time = 1, .kind = FaultKind::kCapacity, .index = 0, .dimension = Dimension::kCpu, .factor = 0.25});
  EXPECT_DOUBLE_EQ(run_static(scenario).latency.mean(), 5);
}

TEST(Simulator, HashingHonoursWeights) {
  Scenario scenario = fleet(3, 20'000, 5);
  scenario.services[0].size = SizeDistribution::deterministic(1e-6);
  scenario.services[0].weights = {1, 3, 0};
  const RunResult result = run_static(scenario);
  EXPECT_NEAR(static_cast<double>(result.placed[0]) / static_cast<double>(result.flows), 0.25, 0.01);
  EXPECT_EQ(result.placed[2], 0u);
}

TEST(Simulator, EstablishedFlowsStayWhenWeightsChange) {
  Scenario scenario = script(2, {0, 0, 0, 20}, {15, 15, 15, 1});
  scenario.services[0].weights = {1, 0};
  SetOnce policy(10, {0, 1});
  const RunResult result = run(scenario, policy);
  EXPECT_EQ(result.placed, (std::vector<std::uint64_t>{3, 1}));
  EXPECT_EQ(result.moved_flows, 0u);
  EXPECT_EQ(result.latency.count(), 4u);
  EXPECT_DOUBLE_EQ(result.latency.mean(), (3 * 45 + 1) / 4.0);
}

TEST(Simulator, ADeadNodeLosesItsFlowsAndGetsNoneOnceGatewaysKnow) {
  Scenario scenario = script(2, {0, 10.05, 11}, {20, 1, 1});
  scenario.services[0].weights = {1, 0};
  scenario.faults.push_back({.time = 10, .kind = FaultKind::kNodeDown, .index = 0});
  scenario.faults.push_back({.time = 50, .kind = FaultKind::kNodeUp, .index = 0});
  const RunResult result = run_static(scenario);
  // One lost, one sent there before anybody knew, one that nobody else has weight for.
  EXPECT_EQ(result.services[0].failed, 3u);
  scenario.services[0].weights = {1000, 1};
  const RunResult other = run_static(scenario);
  EXPECT_EQ(other.services[0].failed, 2u);
  EXPECT_EQ(other.placed[1], 1u);
}

TEST(Simulator, AGatewaysDeathMovesFlowsOnlyWhereNobodyElseKnowsThem) {
  Scenario scenario = fleet(10, 1000, 30);
  scenario.services[0].size = SizeDistribution::deterministic(0.0095);
  scenario.gateways.resize(2);
  scenario.faults.push_back({.time = 20, .kind = FaultKind::kGatewayDown, .index = 0});
  SetOnce policy(19.999, {1, 1, 1, 1, 1, 1, 1, 1, 1, 99});
  EXPECT_EQ(run(scenario, policy).moved_flows, 0u);
  scenario.flow_sync = false;
  const RunResult result = run(scenario, policy);
  EXPECT_GT(result.moved_flows, 0u);
  EXPECT_EQ(result.services[0].failed, result.moved_flows);
}

TEST(Simulator, AParkedNodeTakesNoPowerNorFlowsUntilItWoke) {
  Scenario scenario = script(2, {1, 20.5, 26}, {12, 1, 1}, 40);
  scenario.services[0].weights = {0, 1};
  scenario.nodes[1].idle_watts = 100;
  scenario.nodes[1].wake_time = 5;
  ParkAndWake policy;
  const RunResult result = run(scenario, policy);
  EXPECT_EQ(result.latency.count(), 2u);
  EXPECT_EQ(result.services[0].failed, 1u);
  // Its flow lasts until 13, so it is off from 13 to 20.
  EXPECT_NEAR(result.joules, 100 * (40 - 7), 1e-6);
}

TEST(Simulator, ReportsSayRatesOverTheirSpanAndComeLate) {
  class Listener final : public Policy {
   public:
    [[nodiscard]] std::string name() const override { return "listener"; }
    void start(const View& view) override {}
    [[nodiscard]] bool wants_reports() const override { return true; }
    void on_report(const load::NodeReport& report, double now) override {
      EXPECT_NEAR(now - report.time, 0.5, 1e-9);
      if (report.time < 20) return;
      rate += report.placements.at(0).traffic.new_flows * report.span;
      used += report.utilization[0] * report.span;
      span += report.span;
    }
    double rate = 0, used = 0, span = 0;
  } policy;
  Scenario scenario = fleet(1, 500, 200);
  scenario.services[0].size = SizeDistribution::exponential(0.001);
  scenario.nodes[0].telemetry_delay = 0.5;
  (void)run(scenario, policy);
  EXPECT_NEAR(policy.rate / policy.span, 500, 10);
  EXPECT_NEAR(policy.used / policy.span, 0.5, 0.02);
}

TEST(Simulator, TheSameSeedGivesTheSameRunAndAnotherDoesNot) {
  Scenario scenario = fleet(20, 1000, 20);
  scenario.services[0].size = SizeDistribution::bounded_pareto(1.3, 1000, 0.014);
  scenario.nodes[3].background.push_back({.dimension = Dimension::kCpu, .level = {{0, 0.2}}, .noise = 0.1});
  const std::uint64_t once = run_static(scenario).fingerprint();
  EXPECT_EQ(run_static(scenario).fingerprint(), once);
  scenario.seed = 2;
  EXPECT_NE(run_static(scenario).fingerprint(), once);
}

TEST(Simulator, AScenarioThatMakesNoSenseNamesTheField) {
  Scenario scenario = fleet(1, 1, 1);
  EXPECT_EQ(problem_of(scenario), "");
  scenario.services[0].work = {};
  EXPECT_NE(problem_of(scenario).find("services[0].work"), std::string::npos);
  scenario = fleet(1, 1, 1);
  scenario.services[0].nodes = {7};
  EXPECT_NE(problem_of(scenario).find("services[0].nodes"), std::string::npos);
}

}  // namespace
}  // namespace penstock::simulation
