// The energy policy in the whole planner: nodes that are not needed get no new flows, and are woken in time.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <string>

#include "controlplane/load/planner.h"
#include "controlplane/load/solver.h"

namespace penstock::load {
namespace {

constexpr double kPeriod = 0.1;
constexpr std::size_t kNodes = 6;
constexpr double kCost = 0.001;  // of a node, per new flow a second

class Fleet {
 public:
  Fleet() : planner_(settings(), [this](const SolverInput& input) { return solver_.solve(input); }) {
    for (std::size_t i = 0; i < kNodes; ++i) {
      PlannerNode node;
      node.id = "n" + std::to_string(i);
      node.idle_watts = 100;
      node.busy_watts = 50;
      fleet.nodes.push_back(node);
      PlannerBackend backend;
      backend.id = "b" + std::to_string(i);
      backend.service = 0;
      backend.node = static_cast<NodeIndex>(i);
      fleet.backends.push_back(backend);
    }
    fleet.services.emplace_back().id = "jobs";
    choose(PolicyKind::kEnergy);
  }

  void choose(PolicyKind kind) {
    fleet.services[0].policy = kind;
    fleet.services[0].objective = objective_of(kind);
    planner_.configure(fleet);
  }

  const Plan& run(double seconds) {
    const Plan* plan = nullptr;
    for (double end = now_ + seconds; now_ < end;) {
      now_ += kPeriod;
      plan = &planner_.step(now_);
      const auto& weights = plan->services[0].weights;
      const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
      for (std::size_t i = 0; i < kNodes; ++i) report(i, demand * weights[i] / sum);
    }
    return *plan;
  }

  double demand = 2000, residence = 0.02;  // a third of the fleet
  PlannerFleet fleet;

 private:
  static PlannerSettings settings() {
    PlannerSettings settings;
    settings.packing.hold_seconds = 5;
    return settings;
  }
  void report(std::size_t node, double flows) {
    NodeReport report;
    report.node = static_cast<NodeIndex>(node);
    report.time = now_;
    report.span = kPeriod;
    report.utilization[0] = 0.02 + kCost * flows;
    PlacementReport placement;
    placement.placement = static_cast<PlacementIndex>(node);
    placement.traffic = {.new_flows = flows, .active_flows = flows * residence, .bytes = flows * 1000};
    report.placements = {placement};
    planner_.report(report);
  }

  Solver solver_;
  Planner planner_;
  double now_ = 0;
};

std::size_t without_flows(const Plan& plan) {
  const auto& weights = plan.services[0].weights;
  return static_cast<std::size_t>(std::count(weights.begin(), weights.end(), 0U));
}

TEST(PlannerParking, ParksWhatIsNotNeededAndSaysWhy) {
  Fleet fleet;
  const Plan& plan = fleet.run(60);
  EXPECT_GE(plan.parked, 2U);
  EXPECT_EQ(without_flows(plan), plan.parked);
  for (const Explanation& e : plan.explanations) {
    EXPECT_EQ(e.weight == 0, e.state == WeightState::kParked);
    if (e.weight == 0) {
      EXPECT_EQ(e.binding, Binding::kParked);
    } else {
      EXPECT_LT(e.utilization, 0.85);
    }
  }
}

TEST(PlannerParking, WakesAtOnceWhenMoreComes) {
  Fleet fleet;
  ASSERT_GE(fleet.run(60).parked, 2U);
  fleet.demand = 4500;
  const Plan& plan = fleet.run(2);
  EXPECT_EQ(plan.parked, 0U);
  EXPECT_EQ(without_flows(plan), 0U);
}

TEST(PlannerParking, LeavesEveryNodeAwakeUnderOtherPolicies) {
  Fleet fleet;
  ASSERT_GE(fleet.run(60).parked, 2U);
  fleet.choose(PolicyKind::kLatency);
  const Plan& plan = fleet.run(1);
  EXPECT_EQ(plan.parked, 0U);
  EXPECT_EQ(without_flows(plan), 0U);
}

TEST(PlannerParking, KeepsAsManyAsThePolicySays) {
  Fleet fleet;
  fleet.fleet.services[0].min_awake = 5;
  fleet.choose(PolicyKind::kEnergy);
  EXPECT_LE(fleet.run(60).parked, 1U);
}

TEST(PlannerParking, ParksNothingBeforeItKnowsWhatFlowsCost) {
  Fleet fleet;
  fleet.demand = 0;  // nothing is ever learned
  EXPECT_EQ(fleet.run(30).parked, 0U);
}

TEST(PlannerWorkload, IsLearnedAndAConfiguredOneWins) {
  Fleet fleet;
  fleet.residence = 0.02;
  const Plan& plan = fleet.run(10);
  EXPECT_EQ(plan.services[0].workload, WorkloadClass::kLatencySensitive);
  EXPECT_TRUE(plan.services[0].workload_learned);
  fleet.residence = 600;
  EXPECT_EQ(fleet.run(60).services[0].workload, WorkloadClass::kBatch);
  fleet.fleet.services[0].workload = WorkloadClass::kThroughput;
  fleet.choose(PolicyKind::kLatency);
  const Plan& configured = fleet.run(1);
  EXPECT_EQ(configured.services[0].workload, WorkloadClass::kThroughput);
  EXPECT_FALSE(configured.services[0].workload_learned);
}

}  // namespace
}  // namespace penstock::load
