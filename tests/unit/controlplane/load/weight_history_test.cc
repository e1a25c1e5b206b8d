#include "controlplane/load/weight_history.h"

#include <gtest/gtest.h>

#include <cmath>

namespace penstock::load {
namespace {

constexpr double kStart = 1'795'860'000;

/// A fleet of one service "web" of `count` backends be0, be1, …; and a plan in which all weigh `weight`.
struct Planned {
  PlannerFleet fleet;
  Plan plan;

  explicit Planned(std::size_t count, std::uint32_t weight = 1) {
    fleet.services.resize(1);
    fleet.services[0].id = "web";
    plan.services.resize(1);
    for (std::size_t i = 0; i < count; ++i) {
      PlannerBackend backend;
      backend.id = "be" + std::to_string(i);
      backend.service = 0;
      fleet.backends.push_back(backend);
      Explanation e;
      e.weight = weight;
      plan.explanations.push_back(e);
      plan.services[0].backends.push_back(static_cast<PlacementIndex>(i));
    }
  }
};

TEST(WeightHistory, GivesBackWhatWasPlannedAndTellsUnknownFromZero) {
  Planned now(2);
  Explanation& e = now.plan.explanations[0];
  e.weight = 700;
  e.target_share = 0.7;
  e.measured_share = 0;
  e.utilization = 1.3;
  e.telemetry_age = 0.12;
  WeightHistory history;
  history.add(kStart, now.fleet, now.plan);
  const auto found = history.find("web", 0, kStart, 10);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].time, kStart);
  ASSERT_EQ(found[0].backends.size(), 2u);
  const WeightPoint& p = found[0].backends[0];
  EXPECT_EQ(p.backend, "be0");
  EXPECT_EQ(p.weight, 700u);
  EXPECT_NEAR(p.target_share, 0.7, 1e-4);
  EXPECT_EQ(p.measured_share, 0);
  EXPECT_NEAR(p.utilization, 1.3, 1e-4);
  EXPECT_NEAR(p.telemetry_age, 0.12, 0.05);
  EXPECT_TRUE(std::isnan(found[0].backends[1].target_share));
  EXPECT_TRUE(history.find("dns", 0, kStart, 10).empty());
  EXPECT_TRUE(history.find("web", kStart + 1, kStart + 2, 10).empty());
}

TEST(WeightHistory, KeepsSecondsForAnHourAndTenSecondsForADay) {
  const Planned now(1);
  WeightHistory history;
  const double end = kStart + 100'000;
  for (double t = kStart; t < end - 7200; t += 5) history.add(t, now.fleet, now.plan);
  for (double t = end - 7200; t <= end; t += 0.5) history.add(t, now.fleet, now.plan);
  const auto all = history.find("web", 0, end, 1'000'000);
  EXPECT_EQ(all.front().time, end - 86'400);
  EXPECT_EQ(all.back().time, end);
  EXPECT_EQ(all.size(), 8'280u + 3'601u) << "23 hours by 10 s, one hour by 1 s";
  for (std::size_t i = 1; i < all.size(); ++i) ASSERT_LT(all[i - 1].time, all[i].time);
}

TEST(WeightHistory, ThinsEvenlyAndKeepsTheLast) {
  Planned now(1);
  WeightHistory history;
  for (int i = 0; i < 100; ++i) history.add(kStart + i, now.fleet, now.plan);
  const auto some = history.find("web", kStart, kStart + 99, 10);
  ASSERT_EQ(some.size(), 10u);
  for (std::size_t i = 0; i < 10; ++i) EXPECT_EQ(some[i].time, kStart + 9 + 10.0 * static_cast<double>(i));
}

TEST(WeightHistory, IsBoundInBytesWhateverTheFleet) {
  constexpr std::size_t kBound = 1 << 20;
  WeightHistory history(kBound);
  Planned now(2'000);
  for (int i = 0; i < 100; ++i) {
    for (Explanation& e : now.plan.explanations) e.weight = static_cast<std::uint32_t>(i);
    history.add(kStart + i, now.fleet, now.plan);
  }
  EXPECT_LE(history.bytes(), 2 * kBound);
  const auto kept = history.find("web", 0, kStart + 100, 1000);
  EXPECT_GT(kept.size(), 40u) << "some 20 kB an instant";
  EXPECT_LT(kept.size(), 60u);
  EXPECT_EQ(kept.back().backends[0].weight, 99u);
}

TEST(WeightHistory, AFleetThatChangesKeepsThePastAsItWas) {
  WeightHistory history;
  const Planned before(1, 5), after(3, 6);
  history.add(kStart, before.fleet, before.plan);
  history.add(kStart + 1, after.fleet, after.plan);
  const auto found = history.find("web", 0, kStart + 1, 10);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].backends.size(), 1u);
  EXPECT_EQ(found[1].backends.size(), 3u);
}

TEST(WeightHistory, AClockThatIsSetBackForgetsWhatLiesAhead) {
  const Planned now(1);
  WeightHistory history;
  for (int i = 0; i < 100; ++i) history.add(kStart + i, now.fleet, now.plan);
  history.add(kStart + 50.5, now.fleet, now.plan);
  history.add(kStart + 51.5, now.fleet, now.plan);
  const auto found = history.find("web", 0, kStart + 1000, 1000);
  EXPECT_EQ(found.back().time, kStart + 51.5);
  EXPECT_EQ(found.size(), 52u);
}

}  // namespace
}  // namespace penstock::load
