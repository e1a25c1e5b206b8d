#include "controlplane/load/planner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <numeric>
#include <random>
#include <string>
#include <vector>

namespace penstock::load {
namespace {

constexpr double kPeriod = 0.1;

// The least worst CPU utilisation of one service after another, exactly: the level at which its nodes' room
// is what it needs. Enough for fleets whose services share no node.
SolverResult level(const SolverInput& input) {
  SolverResult result;
  result.share.assign(input.placements.size(), 0);
  result.binding.assign(input.placements.size(), Binding::kUtilization);
  result.dimension.assign(input.placements.size(), Dimension::kCpu);
  for (const SolverService& service : input.services) {
    const auto share = [&](std::uint32_t p, double at) {
      const SolverPlacement& placement = input.placements[p];
      const SolverNode& node = input.nodes[placement.node];
      const double cost = std::max(placement.per_flow_rate[0], 1e-9);
      const double room = std::max(at * node.capacity[0] - node.background[0], 0.0);
      return std::clamp(room / (cost * service.demand), placement.lower, placement.upper);
    };
    double low = 0, high = 1e6;
    for (int i = 0; i < 100; ++i) {
      const double middle = (low + high) / 2;
      double sum = 0;
      for (std::uint32_t p = service.first; p < service.first + service.count; ++p) sum += share(p, middle);
      (sum < 1 ? low : high) = middle;
    }
    for (std::uint32_t p = service.first; p < service.first + service.count; ++p)
      result.share[p] = share(p, high);
  }
  return result;
}

// One service on nodes of unequal speed and background load; reports are `late` periods old and 2 % noisy.
class Toy {
 public:
  explicit Toy(std::vector<double> speeds, std::size_t late = 1, std::uint64_t seed = 1)
      : speed(std::move(speeds)),
        background(speed.size(), 0.05),
        planner({}, level),
        late_(late),
        random_(seed) {
    for (std::size_t i = 0; i < speed.size(); ++i) {
      fleet.nodes.push_back({});
      fleet.nodes.back().id = "n" + std::to_string(i);
      fleet.backends.push_back({});
      fleet.backends.back().id = "b" + std::to_string(i);
      fleet.backends.back().service = 0;
      fleet.backends.back().node = static_cast<NodeIndex>(i);
      fleet.backends.back().configured_weight = 100;
    }
    fleet.services.push_back({});
    fleet.services.back().id = "web";
    fleet.services.back().policy = PolicyKind::kLeastLoad;
    fleet.services.back().objective = objective_of(PolicyKind::kLeastLoad);
    planner.configure(fleet);
    demand = 700 * std::accumulate(speed.begin(), speed.end(), 0.0);
  }

  const Plan& step() {
    now += kPeriod;
    const Plan& plan = planner.step(now);
    const auto& weights = plan.services[0].weights;
    const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
    std::normal_distribution<double> noise(1, noise_deviation);
    load.assign(speed.size(), 0);
    std::vector<NodeReport> reports;
    for (std::size_t i = 0; i < speed.size(); ++i) {
      const double flows = demand * weights[i] / sum * noise(random_);
      load[i] = background[i] + demand * weights[i] / sum / (1000 * speed[i]);
      NodeReport report;
      report.node = static_cast<NodeIndex>(i);
      report.time = now;
      report.span = kPeriod;
      report.utilization[0] = background[i] + flows / (1000 * speed[i]);
      PlacementReport placement;
      placement.placement = static_cast<PlacementIndex>(i);
      placement.traffic = {.new_flows = flows, .active_flows = flows * 0.02, .bytes = flows * 10000};
      report.placements = {placement};
      reports.push_back(report);
    }
    line_.push_back(reports);
    if (line_.size() > late_) {
      for (const NodeReport& report : line_.front()) {
        if (std::find(silent.begin(), silent.end(), report.node) == silent.end()) planner.report(report);
      }
      line_.pop_front();
    }
    return plan;
  }
  const Plan& run(int steps) {
    for (int i = 1; i < steps; ++i) step();
    return step();
  }
  // Coefficient of variation of the loads of the nodes that carry something.
  [[nodiscard]] double spread() const {
    const double mean = std::accumulate(load.begin(), load.end(), 0.0) / static_cast<double>(load.size());
    double squares = 0;
    for (const double u : load) squares += (u - mean) * (u - mean);
    return std::sqrt(squares / static_cast<double>(load.size())) / mean;
  }

  std::vector<double> speed, background, load;
  std::vector<NodeIndex> silent;
  double demand = 0, noise_deviation = 0.02, now = 0;
  PlannerFleet fleet;
  Planner planner;

 private:
  std::size_t late_;
  std::deque<std::vector<NodeReport>> line_;
  std::mt19937_64 random_;
};

TEST(Planner, StartsAtTheConfiguredWeights) {
  Toy toy({1, 2, 3});
  const Plan& plan = toy.step();
  EXPECT_EQ(plan.services[0].weights, (std::vector<std::uint32_t>{1000, 1000, 1000}));
  EXPECT_EQ(plan.explanations[0].state, WeightState::kDecaying);
  EXPECT_TRUE(std::isnan(plan.explanations[0].telemetry_age));
}

TEST(Planner, UnequalNodesConvergeToASpreadOfTwoPerCent) {
  Toy toy({0.5, 0.8, 1, 1, 1.3, 2, 2.5, 4});
  toy.background[3] = 0.3;
  toy.run(300);
  double worst = 0;
  for (int i = 0; i < 100; ++i) {
    toy.step();
    worst = std::max(worst, toy.spread());
  }
  EXPECT_LE(worst, 0.02);
}

TEST(Planner, LossOfHalfANodeIsSettledWithinASecond) {
  Toy toy({1, 1, 1, 2, 2}, 0);
  toy.demand *= 0.8;
  toy.run(300);
  toy.speed[1] = 0.5;
  toy.run(11);
  const double mean = std::accumulate(toy.load.begin(), toy.load.end(), 0.0) / 5;
  EXPECT_NEAR(toy.load[1] / mean, 1, 0.05);
  double lowest = 1;
  for (int i = 0; i < 100; ++i) {
    toy.step();
    lowest = std::min(lowest, toy.load[1] / mean);
  }
  EXPECT_GT(lowest, 0.95);
}

TEST(Planner, ASilentNodeHoldsItsWeightAndSaysSo) {
  Toy toy({1, 2});
  toy.run(200);
  const double held = toy.planner.step(toy.now).services[0].weights[0];
  toy.silent = {0};
  const Plan& plan = toy.run(60);
  EXPECT_EQ(plan.explanations[0].state, WeightState::kHolding);
  EXPECT_GT(plan.explanations[0].telemetry_age, 3);
  EXPECT_EQ(plan.explanations[1].state, WeightState::kFollowing);
  EXPECT_NEAR(plan.services[0].weights[0], held, 40);
}

TEST(Planner, AnOverrideAndADrainTakeEffectAtTheNextStep) {
  Toy toy({1, 1, 1});
  toy.run(100);
  toy.fleet.backends[0].override_weight = 77;
  toy.fleet.backends[2].usable = false;
  toy.planner.configure(toy.fleet);
  const Plan& plan = toy.step();
  EXPECT_EQ(plan.services[0].weights[0], 77U);
  EXPECT_EQ(plan.explanations[0].state, WeightState::kOverridden);
  EXPECT_EQ(plan.explanations[0].binding, Binding::kNothing) << "no limit of the policy holds it";
  EXPECT_EQ(plan.explanations[1].binding, Binding::kUtilization);
  EXPECT_EQ(plan.explanations[2].binding, Binding::kNothing);
  EXPECT_EQ(plan.services[0].weights[2], 0U);
  EXPECT_EQ(plan.explanations[2].state, WeightState::kUnusable);
  EXPECT_EQ(plan.services[0].weights[1], 1000U);
}

TEST(Planner, WhatWasLearnedFollowsIdsThroughConfigurations) {
  Toy toy({1, 2, 4});
  const std::vector<std::uint32_t> before = toy.run(200).services[0].weights;
  PlannerFleet turned = toy.fleet;
  std::swap(turned.nodes[0], turned.nodes[2]);
  std::swap(turned.backends[0], turned.backends[2]);
  for (PlannerBackend& b : turned.backends) b.node = 2 - b.node;
  turned.backends[1].node = 1;
  toy.planner.configure(turned);
  const Plan& plan = toy.planner.step(toy.now + 0.001);
  EXPECT_NEAR(plan.services[0].weights[0], before[2], 2);
  EXPECT_NEAR(plan.services[0].weights[1], before[1], 2);
  EXPECT_NEAR(plan.services[0].weights[2], before[0], 2);
  EXPECT_GT(plan.explanations[0].cost.confidence, 0);
}

TEST(Planner, TheGenerationRisesOnlyWithTheWeights) {
  Toy toy({1, 2});
  toy.noise_deviation = 0;
  std::uint64_t generation = toy.step().generation;
  std::vector<std::uint32_t> weights = toy.planner.step(toy.now).services[0].weights;
  for (int i = 0; i < 100; ++i) {
    const Plan& plan = toy.step();
    EXPECT_EQ(plan.generation != generation, plan.services[0].weights != weights);
    generation = plan.generation;
    weights = plan.services[0].weights;
  }
  const std::uint64_t settled = toy.run(200).generation;
  EXPECT_EQ(toy.run(50).generation, settled);
}

TEST(Planner, AStaticServiceHasNoPlanAndItsReasonSaysSo) {
  Toy toy({1, 2});
  toy.fleet.services[0].policy = PolicyKind::kStatic;
  toy.planner.configure(toy.fleet);
  const Plan& plan = toy.planner.step(1);
  EXPECT_TRUE(plan.services[0].weights.empty());
  EXPECT_EQ(plan.explanations[1].weight, 100U);
  EXPECT_EQ(plan.explanations[1].state, WeightState::kStatic);
}

TEST(Planner, ReportsThatNameNothingKnownOrAreNoNumbersMoveNothing) {
  Toy toy({1, 1});
  const std::vector<std::uint32_t> before = toy.run(100).services[0].weights;
  NodeReport report;
  report.node = 99;
  toy.planner.report(report);
  report.node = 0;
  report.time = kAbsent;
  report.placements.resize(1);
  toy.planner.report(report);
  report.time = toy.now + 0.01;
  report.span = 0.1;
  report.placements[0].placement = 1;  // the other node's
  report.utilization[0] = 1;
  toy.planner.report(report);
  EXPECT_EQ(toy.planner.step(toy.now + 0.05).services[0].weights, before);
}

// A relative change of the largest weight against the others' in one step, over a run with a lost node
// half-way.
double fastest_move(double slew) {
  Toy toy({1, 1});
  toy.fleet.services[0].slew = slew;
  toy.planner.configure(toy.fleet);
  std::vector<std::uint32_t> before = toy.run(100).services[0].weights;
  toy.speed[0] = 0.5;
  double most = 0;
  for (int i = 0; i < 30; ++i) {
    const std::vector<std::uint32_t> now = toy.step().services[0].weights;
    const double ratio = (1.0 * now[0] / now[1]) / (1.0 * before[0] / before[1]);
    most = std::max(most, std::abs(std::log(ratio)));
    before = now;
  }
  return most;
}

TEST(Planner, AServiceMovesAtThePaceOfItsPolicy) {
  // Both weights of the ratio may move by slew * period, and be off by a rounding.
  EXPECT_LE(fastest_move(0.1), 2 * 0.1 * kPeriod + 0.006);
  EXPECT_GT(fastest_move(2), 4 * 0.1 * kPeriod);
}

TEST(Planner, AStrictZoneAndLabelsAreTold) {
  Toy toy({1, 1, 1});
  toy.fleet.services[0].zone = "a";
  toy.fleet.services[0].zone_strict = true;
  toy.fleet.services[0].labels = {{"disk", "nvme"}};
  toy.fleet.nodes[0].zone = toy.fleet.nodes[1].zone = "a";
  toy.fleet.nodes[1].labels = {{"disk", "nvme"}};
  toy.planner.configure(toy.fleet);
  const Plan& plan = toy.step();
  EXPECT_DOUBLE_EQ(plan.explanations[0].affinity, 0.5);
  EXPECT_DOUBLE_EQ(plan.explanations[1].affinity, 0);
  EXPECT_DOUBLE_EQ(plan.explanations[2].affinity, 1);
  EXPECT_EQ(plan.services[0].weights[2], 0U);
}

TEST(Planner, GoesOnFromTheWeightsThatRunWhenItBegins) {
  Toy before({1, 2, 3});
  before.run(200);
  const auto weights = before.planner.step(before.now).services[0].weights;
  Toy after({1, 2, 3});
  for (std::size_t i = 0; i < weights.size(); ++i) after.fleet.backends[i].running_weight = weights[i];
  after.planner.configure(after.fleet);
  for (int step = 0; step < 100; ++step) {
    const auto& now = after.step().services[0].weights;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      EXPECT_NEAR(now[i], weights[i], 0.15 * weights[i]) << "backend " << i << " at step " << step;
    }
  }
}

}  // namespace
}  // namespace penstock::load
