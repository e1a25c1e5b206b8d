#include "controlplane/load/load_model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace penstock::load {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr std::size_t kCpu = 0;
constexpr std::size_t kMemory = 1;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kManyReports = 10'000;
#else
constexpr int kManyReports = 100'000;
#endif

/// One node whose utilisation is made of known costs, background and noise.
class LoadModelTest : public testing::Test {
 protected:
  struct Carried {
    PlacementIndex placement;
    double mean_flows;   // per second
    double spread;       // relative, of the flows
    double cpu, memory;  // per flow/s
    double residence = 0.2, bytes_per_flow = 20'000;
  };

  void carry(ServiceIndex service, double flows, double spread, double cpu, double memory) {
    carried_.push_back({model_.add_placement(service, node_), flows, spread, cpu, memory});
  }

  /// A report of what the node would say now.
  NodeReport report() {
    NodeReport report;
    report.node = node_;
    report.time = time_ += 0.1;
    report.span = 0.1;
    report.utilization[kCpu] = background_;
    report.utilization[kMemory] = background_ / 2;
    for (const Carried& carried : carried_) {
      const double flows = std::max(0.0, carried.mean_flows * (1 + carried.spread * uniform(-1, 1)));
      report.utilization[kCpu] += flows * carried.cpu;
      report.utilization[kMemory] += flows * carried.memory;
      // The units are collinear but for measurement.
      report.placements.push_back({carried.placement,
                                   {flows, flows * carried.residence * uniform(0.95, 1.05),
                                    flows * carried.bytes_per_flow * uniform(0.95, 1.05)}});
    }
    for (std::size_t k : {kCpu, kMemory}) {
      report.utilization[k] = std::max(0.0, report.utilization[k] + normal_(random_) * noise_);
    }
    return report;
  }

  void learn(int reports) {
    for (int i = 0; i < reports; ++i) ASSERT_EQ(model_.learn(report()), ReportOutcome::kLearned);
  }

  double cpu_cost(std::size_t i) const { return model_.cost(carried_[i].placement).per_flow_rate[kCpu]; }
  double memory_cost(std::size_t i) const {
    return model_.cost(carried_[i].placement).per_flow_rate[kMemory];
  }
  double uniform(double from, double to) { return std::uniform_real_distribution<>(from, to)(random_); }

  /// Reports until the placement's CPU cost is within `error` of `cost`, and stays so for ten; at most
  /// `most`.
  int reports_until(std::size_t i, double cost, double error, int most) {
    int within = 0;
    for (int n = 1; n <= most; ++n) {
      learn(1);
      within = std::abs(cpu_cost(i) / cost - 1) < error ? within + 1 : 0;
      if (within == 10) return n - 9;
    }
    return most + 1;
  }

  static constexpr unsigned kSeed = 20'261'128;
  std::mt19937 random_{kSeed};
  std::normal_distribution<> normal_;
  LoadModel model_;
  NodeIndex node_ = model_.add_node();
  std::vector<Carried> carried_;
  double background_ = 0.1;
  double noise_ = 0.01;
  double time_ = 0;
};

TEST_F(LoadModelTest, FlowsThatStandThereWithoutNewOnesAreBackground) {
  // Constant beside the background, their part cannot be told apart from it. Whatever either is thought to be,
  // background and new flows make what is measured.
  carry(0, 100, 0.4, 0.004, 0.001);
  const PlacementIndex idle = model_.add_placement(1, node_);
  for (int i = 0; i < 1000; ++i) {
    NodeReport said = report();
    said.placements.push_back({idle, {0, 3, 0}});
    ASSERT_EQ(model_.learn(said), ReportOutcome::kLearned);
  }
  EXPECT_NEAR(model_.background(node_)[kCpu] + 100 * cpu_cost(0), background_ + 100 * 0.004, 0.02);
}

TEST_F(LoadModelTest, WindowsThatOverlapDoNotHideFlowsThatWait) {
  // Every flow that begins waits, as it does on a full node: nothing is served, whatever the windows say.
  carry(0, 100, 0, 0.004, 0.001);
  learn(200);
  const double cost = cpu_cost(0);
  NodeReport waiting = report();
  for (int i = 0; i < 4; ++i) {
    waiting.time = time_ += 0.1;
    waiting.span = 0.3;
    waiting.utilization[kCpu] = background_;
    waiting.placements[0].traffic.active_flows += 0.1 * waiting.placements[0].traffic.new_flows;
    ASSERT_EQ(model_.learn(waiting), ReportOutcome::kLearned);
  }
  EXPECT_NEAR(cpu_cost(0), cost, 0.2 * cost);
}

TEST_F(LoadModelTest, LearnsCostsAndBackgroundThroughNoise) {
  carry(0, 1000, 0.4, 0.0004, 0.0001);
  learn(1000);
  EXPECT_NEAR(cpu_cost(0), 0.0004, 0.0004 * 0.05);
  EXPECT_NEAR(memory_cost(0), 0.0001, 0.0004 * 0.05);
  EXPECT_NEAR(model_.background(node_)[kCpu], 0.1, 0.02);
  EXPECT_NEAR(model_.background(node_)[kMemory], 0.05, 0.02);
  EXPECT_GT(model_.cost(carried_[0].placement).confidence, 0.8);
}

TEST_F(LoadModelTest, TellsServicesOnOneNodeApart) {
  carry(0, 1000, 0.4, 0.0003, 0.00005);
  carry(1, 50, 0.4, 0.002, 0.004);
  learn(1500);
  EXPECT_NEAR(cpu_cost(0), 0.0003, 0.0003 * 0.06);
  EXPECT_NEAR(cpu_cost(1), 0.002, 0.002 * 0.1);
  EXPECT_NEAR(memory_cost(0), 0.00005, 0.0003 * 0.06);
  EXPECT_NEAR(memory_cost(1), 0.004, 0.004 * 0.06);
}

TEST_F(LoadModelTest, FollowsAStepOfBackgroundWithoutBlamingTraffic) {
  carry(0, 1000, 0.3, 0.0004, 0.0001);
  learn(500);
  background_ = 0.4;
  double worst = 0;
  for (int i = 0; i < 60; ++i) {
    learn(1);
    worst = std::max(worst, std::abs(cpu_cost(0) / 0.0004 - 1));
  }
  EXPECT_LT(worst, 0.2);
  EXPECT_NEAR(model_.background(node_)[kCpu], 0.4, 0.04);
  learn(100);
  EXPECT_NEAR(cpu_cost(0), 0.0004, 0.0004 * 0.07);
}

TEST_F(LoadModelTest, TracksACapacityThatHalves) {
  carry(0, 1000, 0.4, 0.0003, 0.0001);
  learn(500);
  carried_[0].cpu = 0.0006;
  EXPECT_LE(reports_until(0, 0.0006, 0.15, 200), 60);
}

TEST_F(LoadModelTest, BeginsAPlacementWithWhatItsSiblingsCost) {
  carry(7, 1000, 0.4, 0.0004, 0.0001);
  learn(500);
  const PlacementIndex sibling = model_.add_placement(7, model_.add_node());
  EXPECT_NEAR(model_.cost(sibling).per_flow_rate[kCpu], 0.0004, 0.0004 * 0.1);
  EXPECT_NEAR(model_.cost(sibling).per_flow_rate[kMemory], 0.0001, 0.0004 * 0.1);
  EXPECT_EQ(model_.cost(sibling).confidence, 0);
}

TEST_F(LoadModelTest, BeginsWithTheConfiguredCostWhenNobodyHasLearned) {
  carry(0, 1000, 0.4, 0.0004, 0.0001);
  PerDimension configured{};
  configured[kCpu] = 0.001;
  configured[kMemory] = kNaN;
  model_.configure_cost(0, configured);
  EXPECT_DOUBLE_EQ(cpu_cost(0), 0.001);
  EXPECT_EQ(memory_cost(0), 0);
  learn(500);
  EXPECT_NEAR(cpu_cost(0), 0.0004, 0.0004 * 0.07);
}

TEST_F(LoadModelTest, AMissingDimensionIsNotUpdated) {
  carry(0, 1000, 0.4, 0.0004, 0.0001);
  learn(500);
  const double before = memory_cost(0);
  const double background = model_.background(node_)[kMemory];
  for (int i = 0; i < 500; ++i) {
    NodeReport said = report();
    said.utilization[kMemory] = kNaN;
    ASSERT_EQ(model_.learn(said), ReportOutcome::kLearned);
  }
  EXPECT_NEAR(memory_cost(0), before, before * 0.02);  // the mix it is combined at goes on
  EXPECT_DOUBLE_EQ(model_.background(node_)[kMemory], background);
  EXPECT_TRUE(std::isnan(model_.utilization(node_)[kMemory]));
}

TEST_F(LoadModelTest, LearnsADimensionThatAppearsLate) {
  carry(0, 1000, 0.4, 0.0004, 0.0003);
  for (int i = 0; i < 1000; ++i) {
    NodeReport said = report();
    said.utilization[kMemory] = kNaN;
    ASSERT_EQ(model_.learn(said), ReportOutcome::kLearned);
  }
  EXPECT_EQ(memory_cost(0), 0);
  learn(200);
  EXPECT_NEAR(memory_cost(0), 0.0003, 0.0003 * 0.1);
}

TEST_F(LoadModelTest, RefusesAndCountsWhatCannotBeTrue) {
  carry(0, 1000, 0.4, 0.0004, 0.0001);
  learn(100);
  const NodeReport last = report();
  ASSERT_EQ(model_.learn(last), ReportOutcome::kLearned);
  const UnitCost before = model_.cost(carried_[0].placement);

  struct Case {
    const char* what;
    ReportOutcome outcome;
    void (*change)(NodeReport&);
  };
  const Case cases[] = {
      {"older", ReportOutcome::kStale, [](NodeReport& r) { r.time -= 5; }},
      {"ahead of the clock", ReportOutcome::kFuture, [](NodeReport& r) { r.time += 3; }},
      {"time NaN", ReportOutcome::kNotANumber, [](NodeReport& r) { r.time = kNaN; }},
      {"time infinite", ReportOutcome::kNotANumber, [](NodeReport& r) { r.time = kInfinity; }},
      {"span NaN", ReportOutcome::kNotANumber, [](NodeReport& r) { r.span = kNaN; }},
      {"span zero", ReportOutcome::kOutOfRange, [](NodeReport& r) { r.span = 0; }},
      {"utilisation infinite", ReportOutcome::kNotANumber,
       [](NodeReport& r) { r.utilization[kCpu] = kInfinity; }},
      {"utilisation negative", ReportOutcome::kOutOfRange, [](NodeReport& r) { r.utilization[kCpu] = -0.1; }},
      {"percent for a fraction", ReportOutcome::kOutOfRange, [](NodeReport& r) { r.utilization[kCpu] = 55; }},
      {"nothing measured", ReportOutcome::kEmpty, [](NodeReport& r) { r.utilization.fill(kNaN); }},
      {"flows NaN", ReportOutcome::kNotANumber,
       [](NodeReport& r) { r.placements[0].traffic.new_flows = kNaN; }},
      {"bytes infinite", ReportOutcome::kNotANumber,
       [](NodeReport& r) { r.placements[0].traffic.bytes = kInfinity; }},
      {"active negative", ReportOutcome::kOutOfRange,
       [](NodeReport& r) { r.placements[0].traffic.active_flows = -1; }},
      {"flows beyond physics", ReportOutcome::kOutOfRange,
       [](NodeReport& r) { r.placements[0].traffic.new_flows = 1e12; }},
      {"latency negative", ReportOutcome::kOutOfRange,
       [](NodeReport& r) { r.placements[0].latency_seconds = -1; }},
      {"latency infinite", ReportOutcome::kNotANumber,
       [](NodeReport& r) { r.placements[0].latency_seconds = kInfinity; }},
      {"no such node", ReportOutcome::kUnknownNode, [](NodeReport& r) { r.node = 99; }},
      {"no node", ReportOutcome::kUnknownNode, [](NodeReport& r) { r.node = kNone; }},
      {"no such placement", ReportOutcome::kUnknownPlacement,
       [](NodeReport& r) { r.placements[0].placement = 99; }},
      {"a placement twice", ReportOutcome::kRepeatedPlacement,
       [](NodeReport& r) { r.placements.push_back(r.placements[0]); }},
  };
  for (const Case& one : cases) {
    NodeReport said = last;
    said.time += 0.1;
    one.change(said);
    const std::uint64_t counted = model_.count(one.outcome);
    EXPECT_EQ(model_.learn(said, last.time + 0.2), one.outcome) << one.what;
    EXPECT_EQ(model_.count(one.outcome), counted + 1) << one.what;
  }
  EXPECT_EQ(model_.learn(last), ReportOutcome::kDuplicate);

  EXPECT_EQ(model_.cost(carried_[0].placement).per_flow_rate, before.per_flow_rate);
  EXPECT_EQ(model_.last_report(node_), last.time);
  EXPECT_EQ(model_.count(ReportOutcome::kLearned), 101U);
  EXPECT_STREQ(name_of(ReportOutcome::kDuplicate), "duplicate");
}

TEST_F(LoadModelTest, AReportWithoutABusyPlacementKeepsItsUtilisationButTeachesNoCosts) {
  carry(0, 1000, 0.4, 0.0004, 0.0001);
  learn(100);
  const double before = cpu_cost(0);
  NodeReport said = report();
  said.placements.clear();
  EXPECT_EQ(model_.learn(said), ReportOutcome::kPartial);
  EXPECT_EQ(cpu_cost(0), before);
  EXPECT_EQ(model_.last_report(node_), said.time);
}

TEST_F(LoadModelTest, ALieTeachesABoundedAmount) {
  carry(0, 1000, 0.4, 0.0004, 0.0001);
  learn(500);
  const double before = cpu_cost(0);
  NodeReport lie = report();
  lie.utilization[kCpu] = 4;  // the most that is accepted
  ASSERT_EQ(model_.learn(lie), ReportOutcome::kLearned);
  EXPECT_NEAR(cpu_cost(0), before, before * 0.05);
  lie = report();
  for (double* value : {&lie.placements[0].traffic.new_flows, &lie.placements[0].traffic.active_flows,
                        &lie.placements[0].traffic.bytes}) {
    *value *= 100;
  }
  ASSERT_EQ(model_.learn(lie), ReportOutcome::kLearned);
  EXPECT_NEAR(cpu_cost(0), before, before * 0.1);
  lie = report();
  lie.utilization[kCpu] = 0;
  ASSERT_EQ(model_.learn(lie), ReportOutcome::kLearned);
  EXPECT_NEAR(cpu_cost(0), before, before * 0.1);
}

TEST_F(LoadModelTest, WithoutExcitationNothingIsForgotten) {
  carry(0, 1000, 0.4, 0.0004, 0.0001);
  learn(500);
  const double before = cpu_cost(0);
  const double confidence = model_.cost(carried_[0].placement).confidence;
  carried_[0].spread = 0;
  NodeReport said = report();
  for (int i = 0; i < kManyReports; ++i) {
    said.time += 0.1;
    model_.learn(said);
  }
  EXPECT_NEAR(cpu_cost(0), before, before * 0.1);
  EXPECT_GE(model_.cost(carried_[0].placement).confidence, confidence * 0.9);
  EXPECT_LE(model_.largest_variance(node_), 0.25 * (1 + 1e-9));
}

TEST_F(LoadModelTest, AnIdlePlacementKeepsWhatItLearned) {
  carry(0, 1000, 0.4, 0.0004, 0.0001);
  learn(500);
  const double before = cpu_cost(0);
  carried_[0].mean_flows = 0;
  learn(2000);
  EXPECT_NEAR(cpu_cost(0), before, before * 0.1);
  EXPECT_NEAR(model_.background(node_)[kCpu], 0.1, 0.02);
}

TEST_F(LoadModelTest, ForgetsAPlacementThatLeavesAndGivesItsIndexAgain) {
  carry(0, 1000, 0.4, 0.0003, 0.0001);
  carry(1, 500, 0.4, 0.0002, 0.0001);
  learn(500);
  const double before = cpu_cost(1);
  const PlacementIndex gone = carried_[0].placement;
  model_.remove_placement(gone);
  EXPECT_EQ(model_.cost(gone).per_flow_rate, PerDimension{});
  EXPECT_DOUBLE_EQ(cpu_cost(1), before);
  carried_.erase(carried_.begin());
  learn(200);
  EXPECT_NEAR(cpu_cost(0), 0.0002, 0.0002 * 0.15);
  EXPECT_EQ(model_.add_placement(3, node_), gone);
  model_.remove_node(node_);
  EXPECT_EQ(model_.learn(report()), ReportOutcome::kUnknownNode);
  EXPECT_EQ(model_.last_report(node_), -kInfinity);
  EXPECT_EQ(model_.add_placement(0, node_), kNone);
  EXPECT_EQ(model_.add_node(), node_);
}

TEST_F(LoadModelTest, LearnsALatencyCurve) {
  carry(0, 1000, 0.9, 0.0004, 0);
  background_ = 0.05;
  for (int i = 0; i < 1000; ++i) {
    NodeReport said = report();
    const double rho = said.utilization[kCpu];
    const double truth = 0.002 + 0.001 * rho / (1 - rho);
    said.placements[0].latency_seconds = truth * (1 + 0.05 * normal_(random_));
    if (i % 97 == 96) said.placements[0].latency_seconds = 3;  // a spike
    ASSERT_EQ(model_.learn(said), ReportOutcome::kLearned);
  }
  const LatencyCurve curve = model_.latency(node_);
  EXPECT_NEAR(curve.base, 0.002, 0.002 * 0.1);
  EXPECT_NEAR(curve.queue, 0.001, 0.001 * 0.1);
  EXPECT_GT(curve.confidence, 0.8);
}

TEST_F(LoadModelTest, SurvivesAnyGarbage) {
  carry(0, 1000, 0.4, 0.0004, 0.0001);
  carry(1, 1, 0.4, 0.1, 0.1);
  const double values[] = {0,   -0.0, 1e-300, 1e-12, 0.3,  0.7, 1,    3.9,       4.1,  100,
                           1e5, 1e8,  9e8,    9e9,   9e12, -1,  kNaN, kInfinity, -1e9, 5e-324};
  const auto any = [&] {
    // Mostly what is accepted, for what is refused teaches nothing.
    const double exponent = uniform(-8, 9);
    return uniform(0, 1) < 0.05 ? values[random_() % std::size(values)] : std::pow(10, exponent);
  };
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  std::uint64_t learned = 0;
  for (int i = 0; i < 10'000; ++i) {
    NodeReport said = report();
    for (double& utilization : said.utilization) {
      if (uniform(0, 1) < 0.5) utilization = uniform(0, 1) < 0.02 ? any() : uniform(0, 4);
    }
    for (PlacementReport& placement : said.placements) {
      placement.traffic = {any(), any(), any()};
      placement.latency_seconds = uniform(0, 1) < 0.1 ? any() : uniform(0, 3600);
    }
    learned += accepted(model_.learn(said));
    for (const Carried& carried : carried_) {
      const UnitCost cost = model_.cost(carried.placement);
      for (const double value : cost.per_flow_rate) ASSERT_TRUE(std::isfinite(value) && value >= 0) << i;
      ASSERT_TRUE(cost.confidence >= 0 && cost.confidence <= 1) << i;
    }
    for (const double value : model_.background(node_)) ASSERT_TRUE(std::isfinite(value) && value >= 0) << i;
    const LatencyCurve curve = model_.latency(node_);
    ASSERT_TRUE(std::isfinite(curve.base) && curve.base >= 0 && std::isfinite(curve.queue) &&
                curve.queue >= 0)
        << i;
    ASSERT_TRUE(curve.confidence >= 0 && curve.confidence <= 1) << i;
    ASSERT_LE(model_.largest_variance(node_), 0.25 * (1 + 1e-9)) << i;
  }
  EXPECT_GT(learned, 3000U);
}

}  // namespace
}  // namespace penstock::load
