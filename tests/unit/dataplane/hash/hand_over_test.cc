// Who gets free slots: exactness, candidates, and how little a small change moves.
#include "dataplane/hash/hand_over.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

namespace penstock {
namespace {

constexpr std::uint64_t kSeed = 4242;

// Ranks take turns; every rank owns slots / ranks.
std::vector<std::uint16_t> owners_in_turn(std::uint32_t slots, std::uint16_t ranks) {
  std::vector<std::uint16_t> owners(slots);
  for (std::uint32_t slot = 0; slot < slots; ++slot) owners[slot] = static_cast<std::uint16_t>(slot % ranks);
  return owners;
}

std::vector<std::uint32_t> first_slots(std::uint32_t count) {
  std::vector<std::uint32_t> slots(count);
  std::iota(slots.begin(), slots.end(), 0u);
  return slots;
}

std::vector<std::uint32_t> count_of(const std::vector<std::uint16_t>& takers, std::size_t ranks) {
  std::vector<std::uint32_t> counts(ranks);
  for (const std::uint16_t rank : takers) ++counts.at(rank);
  return counts;
}

TEST(HandOver, EverybodyGetsExactlyWhatItLacks) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (int round = 0; round < 200; ++round) {
    const auto ranks = static_cast<std::uint16_t>(1 + random() % 200);
    auto owners = owners_in_turn(5'003, ranks);
    for (std::uint16_t& owner : owners) owner = random() % 10 == 0 ? kNoOwner : owner;
    std::vector<std::uint32_t> lacks(ranks);
    for (std::uint32_t& lack : lacks) lack = random() % 3 == 0 ? random() % 30 : 0;
    const auto slots = first_slots(std::accumulate(lacks.begin(), lacks.end(), 0u));
    ASSERT_EQ(count_of(hand_over(slots, owners, lacks, kSeed), ranks), lacks) << "round " << round;
  }
}

TEST(HandOver, WorksInATableThatNobodyHasASlotOf) {
  const std::vector<std::uint16_t> owners(1'009, kNoOwner);
  const std::vector<std::uint32_t> lacks{9, 500, 500};
  EXPECT_EQ(count_of(hand_over(first_slots(1'009), owners, lacks, kSeed), 3), lacks);
}

// A tenth more for one half and a tenth less for the other: a twentieth of the slots has to change hands.
TEST(HandOver, ASmallChangeOfTheLacksMovesHardlyMoreThanItMust) {
  constexpr std::uint16_t kRanks = 100;
  const auto owners = owners_in_turn(100'000, kRanks);
  const std::vector<std::uint32_t> before(kRanks, 500);
  std::vector<std::uint32_t> after(kRanks);
  for (std::uint16_t rank = 0; rank < kRanks; ++rank) after[rank] = rank % 2 == 0 ? 550 : 450;
  const auto slots = first_slots(50'000);
  const auto a = hand_over(slots, owners, before, kSeed);
  const auto b = hand_over(slots, owners, after, kSeed);
  int moved = 0;
  for (std::size_t i = 0; i < slots.size(); ++i) moved += a[i] != b[i];
  EXPECT_GE(moved, 2'500);
  EXPECT_LE(moved, 1.25 * 2'500);
}

TEST(HandOver, ASlotsTakerHardlyDependsOnWhichOtherSlotsAreFree) {
  constexpr std::uint16_t kRanks = 50;
  const auto owners = owners_in_turn(50'000, kRanks);
  const auto all = hand_over(first_slots(10'000), owners, std::vector<std::uint32_t>(kRanks, 200), kSeed);
  const auto half = hand_over(first_slots(5'000), owners, std::vector<std::uint32_t>(kRanks, 100), kSeed);
  int same = 0;
  for (std::size_t i = 0; i < half.size(); ++i) same += all[i] == half[i];
  EXPECT_GE(same, 4'500);  // 100 by chance
}

}  // namespace
}  // namespace penstock
