#include "perf/kpi/maglev_hashing.h"

#include <gtest/gtest.h>

#include <vector>

#include "controlplane/simulation/random.h"

namespace penstock::kpi {
namespace {

constexpr int kFlows = 40'000;

std::vector<double> shares(const simulation::FlowHashing& hashing, std::size_t backends) {
  std::vector<double> counts(backends);
  for (std::uint64_t i = 0; i < kFlows; ++i) counts.at(hashing.pick(simulation::mix(i))) += 1.0 / kFlows;
  return counts;
}

TEST(MaglevHashing, SharesFollowTheWeightsOfNow) {
  const std::vector<std::uint32_t> configured(4, 1000);
  const auto hashing = make_maglev_hashing(configured);
  for (const double share : shares(*hashing, 4)) EXPECT_NEAR(share, 0.25, 0.02);
  hashing->update(std::vector<std::uint32_t>{100, 300, 600, 0});
  const auto now = shares(*hashing, 4);
  EXPECT_NEAR(now[0], 0.1, 0.02);
  EXPECT_NEAR(now[1], 0.3, 0.02);
  EXPECT_NEAR(now[2], 0.6, 0.02);
  EXPECT_EQ(now[3], 0);
}

TEST(MaglevHashing, ASmallChangeOfWeightsMovesFewHashes) {
  const auto hashing = make_maglev_hashing(std::vector<std::uint32_t>(10, 1000));
  std::vector<std::uint32_t> before;
  for (std::uint64_t i = 0; i < kFlows; ++i) before.push_back(hashing->pick(simulation::mix(i)));
  std::vector<std::uint32_t> weights(10, 1000);
  weights[3] = 900;
  hashing->update(weights);
  int moved = 0;
  for (std::uint64_t i = 0; i < kFlows; ++i) moved += hashing->pick(simulation::mix(i)) != before[i];
  EXPECT_GT(moved, 0);
  EXPECT_LT(moved, kFlows / 40);
}

TEST(MaglevHashing, WithoutAnyWeightThereIsNoBackend) {
  const auto hashing = make_maglev_hashing(std::vector<std::uint32_t>(3, 1000));
  hashing->update(std::vector<std::uint32_t>(3, 0));
  EXPECT_EQ(hashing->pick(1), simulation::kNoBackend);
  EXPECT_EQ(hashing->alternate(1), simulation::kNoBackend);
  hashing->update(std::vector<std::uint32_t>{0, 5, 0});
  EXPECT_EQ(hashing->pick(1), 1u);
  EXPECT_EQ(hashing->alternate(1), 1u);
}

}  // namespace
}  // namespace penstock::kpi
