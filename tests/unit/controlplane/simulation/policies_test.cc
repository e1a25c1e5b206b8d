// Each comparison policy does what its definition says, on cases that can be followed by hand.
#include <gtest/gtest.h>

#include "controlplane/simulation/policies/catalogue.h"
#include "controlplane/simulation/policies/latency_curves.h"
#include "controlplane/simulation/policies/orca_wrr.h"
#include "controlplane/simulation/policies/prequal.h"
#include "controlplane/simulation/policies/scaled_weights.h"
#include "tests/unit/controlplane/simulation/scenarios.h"

namespace penstock::simulation {
namespace {

using Counts = std::vector<std::uint64_t>;

RunResult run_named(const char* name, const Scenario& scenario) {
  const auto policy = make_policy(name);
  return run(scenario, *policy);
}

TEST(Policies, TheCatalogueMakesEachByItsName) {
  for (std::string_view name : policy_names()) EXPECT_EQ(make_policy(name)->name(), name);
  EXPECT_EQ(make_policy("none"), nullptr);
}

TEST(Policies, RoundRobinTakesTurnsAndLeavesOutWhoIsDown) {
  EXPECT_EQ(run_named("round-robin", script(3, {1, 2, 3, 4, 5, 6, 7}, {})).placed, (Counts{3, 2, 2}));
  Scenario scenario = script(3, {1, 2, 3, 4, 5, 6}, {});
  scenario.faults.push_back({.time = 0, .kind = FaultKind::kNodeDown, .index = 1});
  EXPECT_EQ(run_named("round-robin", scenario).placed, (Counts{3, 0, 3}));
}

TEST(Policies, LeastConnectionCountsLivingFlowsPerWeight) {
  Scenario scenario = script(2, {0, 0, 0, 0, 0, 0}, {10, 10, 10, 10, 10, 10});
  scenario.services[0].weights = {1, 2};
  EXPECT_EQ(run_named("least-connection", scenario).placed, (Counts{2, 4}));
}

TEST(Policies, TwoChoicesPrefersWhoHadFewerFlowsAtTheLastProbe) {
  // Node 0 is full of a long flow; of 200 short ones that come when probes know it, it gets those whose two
  // draws both were node 0: a quarter.
  std::vector<double> times{0}, sizes{400};
  for (int i = 0; i < 400; ++i) {
    times.push_back(5 + i);
    sizes.push_back(1e-3);
  }
  Scenario scenario = script(2, times, sizes);
  const RunResult result = run_named("two-choices", scenario);
  const std::uint64_t fewer = std::min(result.placed[0], result.placed[1]);
  EXPECT_NEAR(static_cast<double>(fewer), 100, 30);
}

TEST(Policies, OrcaWeighsByQueriesPerUtilization) {
  EXPECT_DOUBLE_EQ(OrcaWrr::weight(100, 0.5, 0, 1), 200);
  EXPECT_DOUBLE_EQ(OrcaWrr::weight(100, 0.5, 50, 1), 100);
  EXPECT_EQ(OrcaWrr::weight(0, 0.5, 0, 1), 0);
  EXPECT_EQ(OrcaWrr::weight(100, load::kAbsent, 0, 1), 0);
}

TEST(Policies, OrcaFindsWhatUnequalNodesCanCarry) {
  Scenario scenario = fleet(4, 2000, 60);
  scenario.services[0].size = SizeDistribution::deterministic(1e-3);
  for (std::size_t i = 0; i < 4; ++i) {
    scenario.nodes[i].capacity[0] = i < 2 ? 0.5 : 1.5;
    scenario.nodes[i].telemetry_period = 1;
  }
  const RunResult result = run_named("orca-wrr", scenario);
  const auto& weights = result.weights.back().weights;
  EXPECT_NEAR(static_cast<double>(weights[2]) / weights[0], 3, 0.4);
}

TEST(Policies, PrequalTakesTheQuickestColdAndTheEmptiestHot) {
  const std::vector<Prequal::Reply> pool{{.placement = 0, .in_flight = 9, .latency_seconds = 0.01},
                                         {.placement = 1, .in_flight = 3, .latency_seconds = 0.03},
                                         {.placement = 2, .in_flight = 4, .latency_seconds = 0.02}};
  EXPECT_EQ(Prequal::best(pool, 5), 2u);
  EXPECT_EQ(Prequal::best(pool, 3), 1u);
  EXPECT_EQ(Prequal::best(pool, 1), 1u);
  EXPECT_EQ(Prequal::best(pool, 10), 0u);
}

TEST(Policies, LatencyCurvesFitWhatTheySaw) {
  LatencyOfLoad curve;
  for (double load : {1.0, 2.0, 3.0}) curve.observe(load, 0.5 + 0.25 * load * load, 1);
  EXPECT_NEAR(curve.base(), 0.5, 1e-12);
  EXPECT_NEAR(curve.slope(), 0.25, 1e-12);
}

TEST(Policies, LatencyCurvesFillWhereItCostsLeast) {
  // Equal bases, slopes 1 : 4: marginals base + 3 slope x^2 are equal at loads 2 : 1.
  std::vector<LatencyOfLoad> curves(2);
  for (double load : {1.0, 2.0}) {
    curves[0].observe(load, 1 + load * load, 1);
    curves[1].observe(load, 1 + 4 * load * load, 1);
  }
  const std::vector<double> shares = fill_by_latency(curves, 3, 3000);
  EXPECT_NEAR(shares[0], 2.0 / 3, 1e-3);
  EXPECT_NEAR(shares[1], 1.0 / 3, 1e-3);
}

TEST(Policies, TheOracleTakesTheNodeWhereTheFlowEndsFirst) {
  Scenario scenario = script(2, {0, 0, 0, 0}, {1, 1, 1, 1});
  scenario.nodes[1].capacity[0] = 2.5;
  // One more ends after n + 1 on node 0 and (n + 1) / 2.5 on node 1: 0.4 and 0.8 first, then 1 before 1.2,
  // then 1.2.
  EXPECT_EQ(run_named("oracle", scenario).placed, (Counts{1, 3}));
}

TEST(Policies, NoneMovesAnEstablishedFlow) {
  Scenario scenario = fleet(8, 800, 30 * (kFlowShare < 1 ? 0.3 : 1));
  scenario.services[0].size = SizeDistribution::bounded_pareto(1.5, 100, 8e-3);
  scenario.gateways.resize(2);
  scenario.nodes[0].capacity[0] = 2;
  for (std::string_view name : policy_names()) {
    const auto policy = make_policy(name);
    const RunResult result = run(scenario, *policy);
    EXPECT_EQ(result.moved_flows, 0u) << name;
    EXPECT_GT(result.latency.count(), result.flows * 9 / 10) << name;
  }
}

TEST(Policies, WhoSeesLoadBeatsWhoDoesNot) {
  Scenario scenario = fleet(10, 800, 30 * (kFlowShare < 1 ? 0.3 : 1));
  scenario.services[0].size = SizeDistribution::exponential(0.01);
  const double blind = run_named("static", scenario).latency.quantile(0.99);
  for (const char* name : {"least-connection", "two-choices", "prequal", "oracle"})
    EXPECT_LT(run_named(name, scenario).latency.quantile(0.99), blind) << name;
}

TEST(ScaledWeights, TheLargestIsAThousandAndNothingIsLost) {
  EXPECT_EQ(scaled_weights(std::vector<double>{2, 1, 0, 1e-9}),
            (std::vector<std::uint32_t>{1000, 500, 0, 1}));
}

}  // namespace
}  // namespace penstock::simulation
