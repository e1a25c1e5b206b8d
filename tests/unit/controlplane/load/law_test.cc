#include "controlplane/load/law.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstdlib>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

namespace penstock::load {
namespace {

constexpr double kPeriod = 0.1;

// Nodes whose utilisation is demand * share / capacity, seen `delay` periods late with the share that made
// it.
class DelayedPlant {
 public:
  DelayedPlant(std::vector<double> capacities, std::size_t delay)
      : capacity(std::move(capacities)), delay_(delay) {}

  void carry(const WeightLaw& law) {
    std::vector<double> share(capacity.size());
    for (std::uint32_t i = 0; i < share.size(); ++i) share[i] = law.share(i);
    carry(share);
  }
  // What the dataplane makes of integers.
  void carry(std::span<const std::uint32_t> weights) {
    const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
    std::vector<double> share(capacity.size());
    for (std::size_t i = 0; i < share.size(); ++i) share[i] = sum > 0 ? weights[i] / sum : 0;
    carry(share);
  }
  void carry(const std::vector<double>& share) {
    std::vector<double> utilization(capacity.size());
    for (std::size_t i = 0; i < share.size(); ++i) utilization[i] = demand * share[i] / capacity[i];
    shares_.push_back(share);
    loads_.push_back(utilization);
  }
  [[nodiscard]] double now(std::size_t node) const { return loads_.back()[node]; }
  [[nodiscard]] double seen(std::size_t node) const { return late(loads_)[node]; }
  [[nodiscard]] double seen_share(std::size_t node) const { return late(shares_)[node]; }
  [[nodiscard]] double spread() const {  // largest over smallest, minus 1
    const auto [low, high] = std::minmax_element(loads_.back().begin(), loads_.back().end());
    return *high / *low - 1;
  }

  std::vector<double> capacity;
  double demand = 1;

 private:
  [[nodiscard]] const std::vector<double>& late(const std::vector<std::vector<double>>& line) const {
    return line[line.size() > delay_ ? line.size() - 1 - delay_ : 0];
  }
  std::size_t delay_;
  std::vector<std::vector<double>> shares_, loads_;
};

std::vector<LawInput> equal_inputs(std::size_t count, double age) {
  std::vector<LawInput> in(count);
  for (LawInput& p : in) {
    p.target = 1.0 / static_cast<double>(count);
    p.age = age;
  }
  return in;
}

TEST(NoOvershootGain, IsTheClosedFormOfIntegralControlUnderDelay) {
  EXPECT_DOUBLE_EQ(no_overshoot_gain(0), 1);
  EXPECT_NEAR(no_overshoot_gain(1), 1.0 / 4, 1e-12);
  EXPECT_NEAR(no_overshoot_gain(2), 4.0 / 27, 1e-12);
  EXPECT_NEAR(no_overshoot_gain(3), 27.0 / 256, 1e-12);
}

// Roots of z^(d+1) - z^d + k by Durand and Kerner.
std::vector<std::complex<double>> roots_of_loop(int d, double k) {
  const auto value = [&](std::complex<double> z) { return std::pow(z, d + 1) - std::pow(z, d) + k; };
  std::vector<std::complex<double>> z(static_cast<std::size_t>(d) + 1);
  for (std::size_t i = 0; i < z.size(); ++i)
    z[i] = std::pow(std::complex<double>(0.4, 0.9), static_cast<double>(i));
  for (int round = 0; round < 2000; ++round) {
    for (std::size_t i = 0; i < z.size(); ++i) {
      std::complex<double> others = 1;
      for (std::size_t j = 0; j < z.size(); ++j) others *= i == j ? 1 : z[i] - z[j];
      z[i] -= value(z[i]) / others;
    }
  }
  return z;
}

std::complex<double> dominant(const std::vector<std::complex<double>>& roots) {
  return *std::max_element(roots.begin(), roots.end(),
                           [](const auto& a, const auto& b) { return std::abs(a) < std::abs(b); });
}

TEST(NoOvershootGain, IsWhereTheDominantRootsOfTheCharacteristicPolynomialLeaveTheRealAxis) {
  for (int d = 1; d <= 20; ++d) {
    const double bound = no_overshoot_gain(d);
    const auto below = dominant(roots_of_loop(d, 0.9 * bound));
    EXPECT_NEAR(below.imag(), 0, 1e-6) << "d=" << d;
    EXPECT_GT(below.real(), 0) << "d=" << d;
    const auto above = dominant(roots_of_loop(d, 1.3 * bound));
    EXPECT_GT(std::abs(above.imag()), 0.01) << "d=" << d;
  }
}

// The law itself, feedback only (the target never moves, nobody says which share was carried), around a delay
// line. Returns the deviations of node 0 from balance over time, as ln of its load over node 1's.
std::vector<double> run_feedback(int d, double gain_share, int steps) {
  LawSettings settings;
  settings.gain_share = gain_share;
  settings.deadband = 0;
  settings.slew = 1000;
  settings.most_trim = 1000;
  WeightLaw law(settings);
  DelayedPlant plant({0.8, 1.25}, static_cast<std::size_t>(d));
  plant.demand = 100;  // far above what counts as idle: the loop is then the recurrence to 1 in 10,000
  plant.carry(std::vector<double>{0.5, 0.5});
  std::vector<double> deviation;
  for (int step = 0; step < steps; ++step) {
    auto in = equal_inputs(2, d * kPeriod);
    for (std::size_t i = 0; i < 2; ++i) in[i].utilization = plant.seen(i);
    law.step(step * kPeriod, in);
    plant.carry(law);
    deviation.push_back(std::log(plant.now(0) / plant.now(1)));
  }
  EXPECT_NEAR(law.delay_periods(), d, 1e-9);
  return deviation;
}

TEST(WeightLaw, DecaysMonotonicallyAtTheBoundAndOvershootsAboveIt) {
  for (int d = 0; d <= 20; ++d) {
    const int steps = 40 + 30 * d;
    const std::vector<double> at = run_feedback(d, 1, steps);
    for (std::size_t i = 1; i < at.size(); ++i) {
      ASSERT_LE(at[i], at[i - 1] + 1e-9) << "d=" << d << " step " << i;
      ASSERT_GE(at[i], -1e-4) << "d=" << d << " step " << i;
    }
    EXPECT_LT(at.back(), 0.01) << "d=" << d;
    const std::vector<double> above = run_feedback(d, 1.3, steps);
    EXPECT_LT(*std::min_element(above.begin(), above.end()), -0.001) << "d=" << d;
  }
}

TEST(WeightLaw, DecaysAsFastAsTheDominantRootSays) {
  for (int d : {1, 3, 8, 20}) {
    const int steps = 40 + 12 * d;
    const std::vector<double> e = run_feedback(d, 0.9, steps);
    const double rate = e[e.size() - 1] / e[e.size() - 2];
    EXPECT_NEAR(rate, dominant(roots_of_loop(d, 0.9 * no_overshoot_gain(d))).real(), 0.005) << "d=" << d;
  }
}

TEST(WeightLaw, ALoadStepMovesNoWeight) {
  WeightLaw law;
  DelayedPlant plant({1, 1, 1}, 3);
  plant.demand = 1;
  for (int step = 0; step < 100; ++step) {
    if (step == 50) plant.demand = 2.4;
    auto in = equal_inputs(3, 0.3);
    plant.carry(law.step(step * kPeriod, in));
    for (std::size_t i = 0; i < 3; ++i) in[i].utilization = plant.seen(i);
    ASSERT_EQ(law.weights()[0], 1000U);
    ASSERT_EQ(law.weights()[1], 1000U);
    ASSERT_EQ(law.weights()[2], 1000U);
  }
}

// A model that learns the new capacity when telemetry shows it: what the solver then says is right.
TEST(WeightLaw, LossOfHalfACapacityIsSettledWithinASecondOfTelemetryAtAnyDelayWithoutOvershoot) {
  for (std::size_t d = 0; d <= 20; ++d) {
    WeightLaw law;
    DelayedPlant plant({1, 1, 1, 1}, d);
    plant.demand = 2.8;
    std::vector<double> believed{1, 1, 1, 1};
    const int loss = 50;
    double lowest = 1;
    for (int step = 0; step < 400; ++step) {
      if (step == loss) plant.capacity[0] = 0.5;
      if (step == loss + static_cast<int>(d) + 1) believed[0] = 0.5;
      std::vector<LawInput> in(4);
      const double sum = std::accumulate(believed.begin(), believed.end(), 0.0);
      for (std::size_t i = 0; i < 4; ++i) {
        in[i].target = believed[i] / sum;
        in[i].confidence = 0.9;
        in[i].age = static_cast<double>(d) * kPeriod;
        in[i].expected = plant.demand / sum;
        if (step > 0) {
          in[i].utilization = plant.seen(i);
          in[i].measured_share = plant.seen_share(i);
        }
      }
      plant.carry(law.step(step * kPeriod, in));
      if (step > loss) lowest = std::min(lowest, plant.now(0) / plant.now(1));
      if (step < loss + static_cast<int>(d) + 9) continue;
      ASSERT_LT(plant.spread(), 0.05) << "d=" << d << " step " << step;
    }
    EXPECT_GT(lowest, 0.95) << "d=" << d;
  }
}

TEST(WeightLaw, FeedbackHandsOverToAModelThatLearnsLater) {
  WeightLaw law;
  DelayedPlant plant({0.5, 1}, 5);
  double lowest = 2;
  for (int step = 0; step < 600; ++step) {
    const double first =
        step < 200 ? 0.5 : 1.0 / 3;  // the model learns at last what feedback has found long ago
    std::vector<LawInput> in(2);
    for (std::size_t i = 0; i < 2; ++i) {
      in[i].target = i == 0 ? first : 1 - first;
      in[i].confidence = step < 200 ? 0 : 1;
      in[i].age = 0.5;
      if (step > 0) {
        in[i].utilization = plant.seen(i);
        in[i].measured_share = plant.seen_share(i);
      }
    }
    plant.carry(law.step(step * kPeriod, in));
    if (step >= 199) {
      ASSERT_LT(plant.spread(), 0.05) << "step " << step;
      lowest = std::min(lowest, plant.now(0) / plant.now(1));
    }
  }
  EXPECT_GT(lowest, 0.95);
}

TEST(WeightLaw, HoldsThenReturnsLinearlyToTheConfiguredWeights) {
  WeightLaw law;
  std::vector<LawInput> in(2);
  in[0].target = 0.2;
  in[1].target = 0.8;
  for (LawInput& p : in) {
    p.confidence = 1;
    p.age = 0.1;
  }
  double now = 0;
  for (int i = 0; i < 50; ++i) law.step(now += kPeriod, in);
  EXPECT_NEAR(law.share(0), 0.2, 0.002);
  const double held = law.share(0);

  in[0].target = 0.9;
  in[1].target = 0.1;
  for (LawInput& p : in) p.age = 10;
  law.step(now += kPeriod, in);
  EXPECT_EQ(law.states()[0], WeightState::kHolding);
  EXPECT_NEAR(law.share(0), held, 1e-12);

  for (const double age : {45.0, 60.0, 75.0}) {
    for (LawInput& p : in) p.age = age;
    law.step(now += kPeriod, in);
    EXPECT_EQ(law.states()[0], WeightState::kDecaying);
    EXPECT_NEAR(law.share(0), held + (0.5 - held) * (age - 30) / 60, 1e-9);
  }
  for (LawInput& p : in) p.age = 1000;
  law.step(now += kPeriod, in);
  EXPECT_EQ(law.weights()[0], 1000U);
  EXPECT_EQ(law.weights()[1], 1000U);
}

TEST(WeightLaw, StartsAtTheConfiguredWeights) {
  WeightLaw law;
  std::vector<LawInput> in(3);
  for (std::size_t i = 0; i < 3; ++i) in[i].configured = 100 * static_cast<double>(i + 2);
  law.step(0, in);
  EXPECT_EQ(law.states()[0], WeightState::kDecaying) << "there never was telemetry";
  EXPECT_EQ(std::vector(law.weights().begin(), law.weights().end()),
            (std::vector<std::uint32_t>{500, 750, 1000}));
}

TEST(WeightLaw, AnOverrideWinsAtOnceAndIsLeftWithoutAJump) {
  WeightLaw law;
  auto in = equal_inputs(3, 0.1);
  law.step(0, in);
  in[1].override_weight = 250;
  law.step(0, in);  // not even a period later
  EXPECT_EQ(law.states()[1], WeightState::kOverridden);
  EXPECT_EQ(law.weights()[1], 250U);
  EXPECT_EQ(law.weights()[0], 1000U);
  for (int i = 1; i < 100; ++i) law.step(i * kPeriod, in);
  EXPECT_EQ(law.weights()[1], 250U);
  in[1].override_weight.reset();
  law.step(10.0, in);
  EXPECT_LE(law.weights()[1], 250 * std::exp(0.4) + 1) << "one step up, the others one step down";
  for (int i = 101; i < 200; ++i) law.step(i * kPeriod, in);
  EXPECT_NEAR(law.weights()[1], 1000, 15);
}

TEST(WeightLaw, RisesFromNextToNothingLikeOneThatWakes) {
  WeightLaw law;
  auto in = equal_inputs(4, 0.1);
  for (LawInput& p : in) p.confidence = 1;
  double now = 0;
  in[2].target = 1e-6;
  for (int i = 0; i < 80; ++i) law.step(now += kPeriod, in);
  EXPECT_LT(law.share(2), 1e-3);
  in[2].target = 0.25;
  for (int i = 0; i < 20; ++i) law.step(now += kPeriod, in);
  EXPECT_NEAR(law.share(2), 0.25, 0.02);
}

TEST(WeightLaw, ParksInStepsToExactlyZeroAndWakes) {
  WeightLaw law;
  auto in = equal_inputs(4, 0.1);
  for (LawInput& p : in) p.confidence = 1;
  double now = 0;
  law.step(now, in);
  in[2].target = 0;
  std::uint32_t before = law.weights()[2];
  law.step(now += kPeriod, in);
  EXPECT_EQ(law.states()[2], WeightState::kParked);
  EXPECT_GT(law.weights()[2], before / 2);
  for (int i = 0; i < 60; ++i) {
    before = law.weights()[2];
    law.step(now += kPeriod, in);
    ASSERT_LE(law.weights()[2], before);
  }
  EXPECT_EQ(law.weights()[2], 0U);
  EXPECT_EQ(law.share(2), 0);

  in[2].target = 0.25;
  law.step(now += kPeriod, in);
  EXPECT_GT(law.weights()[2], 0U);
  EXPECT_LT(law.weights()[2], 100U);
  for (int i = 0; i < 30; ++i) law.step(now += kPeriod, in);
  EXPECT_NEAR(law.weights()[2], 1000, 20);
}

TEST(WeightLaw, WhatIsUnusableHasNothingAtOnceAndTheRestKeepsItsRatios) {
  WeightLaw law;
  auto in = equal_inputs(3, 0.1);
  in[0].target = 0.2;
  in[1].target = 0.3;
  in[2].target = 0.5;
  for (LawInput& p : in) p.confidence = 1;
  double now = 0;
  for (int i = 0; i < 60; ++i) law.step(now += kPeriod, in);
  const double ratio = law.share(0) / law.share(1);
  in[2].usable = false;
  law.step(now += kPeriod, in);
  EXPECT_EQ(law.weights()[2], 0U);
  EXPECT_NEAR(law.share(0) / law.share(1), ratio, 0.01);
  EXPECT_NEAR(law.share(0) + law.share(1), 1, 1e-12);
  for (LawInput& p : in) p.usable = false;
  law.step(now += kPeriod, in);
  EXPECT_EQ(law.weights()[0] + law.weights()[1] + law.weights()[2], 0U);
  for (LawInput& p : in) p.usable = true;
  law.step(now += kPeriod, in);
  for (const std::uint32_t weight : law.weights()) EXPECT_GT(weight, 0U);
}

TEST(WeightLaw, RefusesATargetThatIsNoNumber) {
  WeightLaw law;
  auto in = equal_inputs(2, 0.1);
  law.step(0, in);
  in[0].target = std::numeric_limits<double>::quiet_NaN();
  in[1].target = -3;
  law.step(kPeriod, in);
  EXPECT_EQ(law.states()[0], WeightState::kHolding);
  EXPECT_EQ(law.states()[1], WeightState::kHolding);
  EXPECT_EQ(law.weights()[0], 1000U);
  EXPECT_EQ(law.weights()[1], 1000U);
  for (LawInput& p : in) {
    p.target = 0.5;
    p.utilization = p.expected = p.measured_share = p.confidence = std::numeric_limits<double>::infinity();
  }
  law.step(2 * kPeriod, in);
  EXPECT_DOUBLE_EQ(law.share(0), 0.5);
}

TEST(WeightLaw, IsBoundedAgainstANodeThatAlwaysSaysItIsIdle) {
  WeightLaw law;
  auto in = equal_inputs(10, 0.1);
  for (int step = 0; step < 2000; ++step) {
    for (LawInput& p : in) p.utilization = 0.6;
    in[0].utilization = 0;
    law.step(step * kPeriod, in);
  }
  EXPECT_LE(law.share(0) / law.share(1), 8) << "most_trim of its own, and what the nine gave until then";
  EXPECT_EQ(law.weights()[1], law.weights()[9]);
}

TEST(WeightLaw, AClampedShareDoesNotWindUp) {
  WeightLaw law;
  auto in = equal_inputs(4, 0.1);
  in[0].upper = 0.3;
  int step = 0;
  for (; step < 1000; ++step) {  // would like far more than its cap
    for (LawInput& p : in) p.utilization = 0.7;
    in[0].utilization = 0.2;
    law.step(step * kPeriod, in);
    ASSERT_LE(law.share(0), 0.3 + 1e-9);
  }
  EXPECT_NEAR(law.share(0), 0.3, 1e-6);
  const int turned = step;
  while (law.share(0) > 0.29 && step < turned + 100) {
    in[0].utilization = 0.9;
    law.step(step++ * kPeriod, in);
  }
  EXPECT_LE(step - turned, 12) << "the way back begins at the cap, not at what was wished";
}

TEST(WeightLaw, IntegersDoNotFlapOnNoiseWithinTheDeadband) {
  std::mt19937_64 random(7);
  std::uniform_real_distribution<double> noise(-0.002, 0.002);
  WeightLaw law;
  int changes = 0;
  std::vector<std::uint32_t> before;
  for (int step = 0; step < 1000; ++step) {
    auto in = equal_inputs(5, 0.1);
    for (LawInput& p : in) {
      p.confidence = 1;
      p.target *= 1 + noise(random);
      p.utilization = 0.6 * (1 + noise(random));
    }
    const auto weights = law.step(step * kPeriod, in);
    if (!before.empty() && !std::equal(before.begin(), before.end(), weights.begin())) ++changes;
    before.assign(weights.begin(), weights.end());
  }
  EXPECT_LE(changes, 5);
}

TEST(WeightLaw, RandomPlantsConvergeWithinBoundsAndWithoutOscillation) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  // Equal targets: feedback alone finds the shares, and it may change one by a factor of most_trim only.
  std::uniform_real_distribution<double> size(0.6, 2.2);
  for (int plant_number = 0; plant_number < 60; ++plant_number) {
    const std::size_t nodes = 2 + random() % 12;
    const std::size_t d = random() % 21;
    const bool shares = random() % 2 == 0;
    std::vector<double> capacity(nodes);
    for (double& c : capacity) c = size(random);
    DelayedPlant plant(capacity, d);
    plant.demand = 0.7 * std::accumulate(capacity.begin(), capacity.end(), 0.0);
    LawSettings settings;
    WeightLaw law(settings);
    std::vector<int> turns(nodes, 0), side(nodes, 0);
    const int steps = 200 + 60 * static_cast<int>(d);
    for (int step = 0; step < steps; ++step) {
      auto in = equal_inputs(nodes, static_cast<double>(d) * kPeriod);
      for (std::size_t i = 0; i < nodes && step > 0; ++i) {
        in[i].utilization = plant.seen(i);
        if (shares) in[i].measured_share = plant.seen_share(i);
      }
      const auto weights = law.step(step * kPeriod, in);
      ASSERT_EQ(*std::max_element(weights.begin(), weights.end()), settings.weight_scale);
      ASSERT_GT(*std::min_element(weights.begin(), weights.end()), 0U);
      plant.carry(weights);
      for (std::size_t i = 0; i < nodes; ++i) {
        const double e = plant.now(i) / 0.7 - 1;
        const int now = e > 0.02 ? 1 : e < -0.02 ? -1 : side[i];
        turns[i] += side[i] != 0 && now != side[i];
        side[i] = now;
      }
    }
    EXPECT_LT(plant.spread(), 0.04) << nodes << " nodes, d=" << d;
    for (const int t : turns) EXPECT_LE(t, 2) << nodes << " nodes, d=" << d;
  }
}

TEST(DelayEstimate, FollowsALongerDelayAtOnceAndAShorterOneSlowly) {
  DelayEstimate delay;
  delay.update(kAbsent, 0, 0);
  EXPECT_EQ(delay.seconds(), 0);
  delay.update(0.1, 0.4, 0.05);
  EXPECT_DOUBLE_EQ(delay.seconds(), 0.35);
  for (int i = 0; i < 6; ++i) delay.update(2, 0, 0);
  EXPECT_GT(delay.seconds(), 1.9);
  for (int i = 0; i < 6; ++i) delay.update(0.1, 0, 0);
  EXPECT_GT(delay.seconds(), 1.6);
  for (int i = 0; i < 400; ++i) delay.update(0.1, 0, 0);
  EXPECT_NEAR(delay.seconds(), 0.1, 0.01);
  delay.update(0.1, 36000, 0);
  EXPECT_LT(delay.seconds(), DelayEstimate::kMostResidence);
}

}  // namespace
}  // namespace penstock::load
