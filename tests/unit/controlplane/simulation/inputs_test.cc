// Arrivals, sizes, histogram, settling, reference hashing: what runs are fed with and read by.
#include <gtest/gtest.h>

#include <cmath>

#include "controlplane/simulation/arrival.h"
#include "controlplane/simulation/hashing.h"
#include "controlplane/simulation/run_result.h"
#include "controlplane/simulation/size_distribution.h"

namespace penstock::simulation {
namespace {

double mean_of(const SizeDistribution& size) {
  Random random(7, 0);
  double sum = 0;
  for (int i = 0; i < 200'000; ++i) sum += size.draw(random);
  return sum / 200'000;
}

TEST(SizeDistribution, DrawsHaveTheMeanThatItSays) {
  for (const SizeDistribution& size : {SizeDistribution::deterministic(3), SizeDistribution::exponential(3),
                                       SizeDistribution::bounded_pareto(1.5, 100, 3),
                                       SizeDistribution::empirical({{1, 0.5}, {2, 0.9}, {10, 1}}, 3)}) {
    EXPECT_NEAR(size.average(), 3, 1e-9);
    EXPECT_NEAR(mean_of(size), 3, 0.06);
  }
}

/// Arrivals in [from, to).
int count(const ArrivalProcess& process, double from, double to) {
  Arrivals arrivals(process, Random(3, 0));
  int n = 0;
  for (double at = arrivals.next(); at < to; at = arrivals.next()) n += at >= from ? 1 : 0;
  return n;
}

TEST(Arrivals, FollowTheRatePoints) {
  const ArrivalProcess process{
      .rate = {{0, 0}, {10, 2000}, {10, 100}, {20, 100}}, .bursts = {}, .times = {}, .sizes = {}};
  EXPECT_NEAR(count(process, 0, 10), 10'000, 400);
  EXPECT_NEAR(count(process, 5, 10), 7'500, 350);
  EXPECT_NEAR(count(process, 10, 100), 9'000, 400);
}

TEST(Arrivals, BurstsMultiplyTheRate) {
  const ArrivalProcess process{.rate = {{0, 100}},
                               .bursts = {{.factor = 1, .mean_seconds = 3}, {.factor = 9, .mean_seconds = 1}},
                               .times = {},
                               .sizes = {}};
  EXPECT_NEAR(count(process, 0, 4000) / 4000.0, 300, 15);
}

TEST(Arrivals, AScriptIsFollowedToTheLetter) {
  const ArrivalProcess process{.rate = {}, .bursts = {}, .times = {1, 2.5}, .sizes = {7, 8}};
  Arrivals arrivals(process, Random(1, 0));
  EXPECT_EQ(arrivals.next(), 1);
  EXPECT_EQ(arrivals.given_size(), 7);
  EXPECT_EQ(arrivals.next(), 2.5);
  EXPECT_EQ(arrivals.given_size(), 8);
  EXPECT_EQ(arrivals.next(), Arrivals::kNever);
}

TEST(LatencyHistogram, QuantilesAreWithinABucket) {
  LatencyHistogram histogram;
  for (int i = 1; i <= 10'000; ++i) histogram.add(i * 1e-4);
  EXPECT_NEAR(histogram.quantile(0.5), 0.5, 0.008);
  EXPECT_NEAR(histogram.quantile(0.99), 0.99, 0.016);
  EXPECT_NEAR(histogram.mean(), 0.50005, 1e-9);
}

TEST(Settling, TellsTimeAndOvershoot) {
  const std::vector<double> times{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, values{1, 1, 1, 1.8, 2.3, 2.05, 2, 2, 2, 2};
  const Settling settled = settling(times, values, 2, 0.05);
  EXPECT_DOUBLE_EQ(settled.final_value, 2);
  EXPECT_DOUBLE_EQ(settled.settled_after, 3);
  EXPECT_NEAR(settled.overshoot, 0.15, 1e-12);
}

TEST(ReferenceHashing, AlternatesAreOthersInProportion) {
  ReferenceHashing hashing;
  hashing.update(std::vector<std::uint32_t>{1, 0, 2, 1});
  std::vector<int> alternates(4);
  for (std::uint64_t i = 0; i < 40'000; ++i) {
    if (hashing.pick(mix(i)) != 2) continue;
    ++alternates[hashing.alternate(mix(i))];
  }
  EXPECT_EQ(alternates[1] + alternates[2], 0);
  EXPECT_NEAR(alternates[0], 10'000, 400);
  EXPECT_NEAR(alternates[3], 10'000, 400);
  hashing.update(std::vector<std::uint32_t>{0, 0});
  EXPECT_EQ(hashing.pick(1), kNoBackend);
}

}  // namespace
}  // namespace penstock::simulation
