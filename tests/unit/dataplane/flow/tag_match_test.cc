#include "dataplane/flow/tag_match.h"

#include <gtest/gtest.h>

#include <iostream>
#include <random>

namespace penstock {
namespace {

FlowBucket random_bucket(std::mt19937_64& random) {
  FlowBucket b{};
  b.displaced = static_cast<std::uint32_t>(random());
  for (auto& tag : b.tags) tag = static_cast<std::uint32_t>(random());
  for (auto& word : b.words) word = random();
  return b;
}

TEST(TagMatch, NamesEachSlotAlone) {
  FlowBucket b{};
  for (std::uint32_t i = 0; i < kSlotsPerBucket; ++i) b.tags[i] = 100 + i;
  for (std::uint32_t i = 0; i < kSlotsPerBucket; ++i) {
    EXPECT_EQ(SimdTags::match(b, 100 + i), 1U << i);
    EXPECT_EQ(PortableTags::match(b, 100 + i), 1U << i);
  }
  EXPECT_EQ(SimdTags::match(b, 99), 0U);
  EXPECT_EQ(PortableTags::match(b, 99), 0U);
}

TEST(TagMatch, LooksAtTagsOnly) {
  FlowBucket b{};
  for (auto& tag : b.tags) tag = 1;
  b.displaced = 7;
  for (auto& word : b.words) word = 0x0000'0007'0000'0007;
  EXPECT_EQ(SimdTags::match(b, 7), 0U);
  EXPECT_EQ(PortableTags::match(b, 7), 0U);
}

TEST(TagMatch, TwinsAgreeOnRandomBuckets) {
  const std::uint64_t seed = std::random_device{}();
  std::cout << "seed " << seed << "\n";
  std::mt19937_64 random(seed);
  for (int round = 0; round < 300'000; ++round) {
    FlowBucket b = random_bucket(random);
    const auto tag = static_cast<std::uint32_t>(random());
    const auto wanted = static_cast<std::uint32_t>(random() % 32);
    for (std::uint32_t i = 0; i < kSlotsPerBucket; ++i) {
      if ((wanted >> i & 1) != 0) b.tags[i] = tag;
    }
    ASSERT_EQ(PortableTags::match(b, tag), SimdTags::match(b, tag)) << "round " << round;
    ASSERT_EQ(SimdTags::match(b, tag) & wanted, wanted) << "round " << round;
  }
}

}  // namespace
}  // namespace penstock
