#include "dataplane/sync/parity.h"

#include <gtest/gtest.h>

#include "tests/unit/dataplane/sync/seeded.h"

namespace penstock {
namespace {

using Shard = ParityCoder::Shard;

std::vector<Shard> random_payloads(std::size_t count, std::mt19937_64& random) {
  std::vector<Shard> out(count);
  for (auto& payload : out) {
    payload.resize(1 + random() % 60);
    for (auto& byte : payload) byte = static_cast<std::byte>(random());
  }
  return out;
}

struct Shape {
  std::size_t k, m;
};

class EveryErasure : public testing::TestWithParam<Shape> {};

// All sets of lost datagrams, by their bits: what is lost up to m comes back byte for byte, more does not.
TEST_P(EveryErasure, UpToTheParityIsRestoredAndMoreIsNot) {
  std::mt19937_64 random(random_seed());
  const auto [k, m] = GetParam();
  ParityCoder coder;
  const auto payloads = random_payloads(k, random);
  const auto parity = coder.encode(payloads, m);
  ASSERT_EQ(parity.size(), m);
  std::size_t restored = 0;
  for (std::uint32_t lost = 0; lost < 1U << (k + m); ++lost) {
    const auto losses = static_cast<std::size_t>(__builtin_popcount(lost));
    if (losses > m + 1) continue;
    auto data = payloads;
    auto rest = parity;
    bool any_data_lost = false;
    for (std::size_t i = 0; i < k + m; ++i) {
      if ((lost >> i & 1) == 0) continue;
      if (i < k) any_data_lost = true;
      (i < k ? data[i] : rest[i - k]).clear();
    }
    const bool expected = losses <= m || !any_data_lost;
    ASSERT_EQ(coder.recover(data, rest), expected) << "lost " << std::hex << lost;
    if (expected) {
      ASSERT_EQ(data, payloads) << "lost " << std::hex << lost;
      ++restored;
    }
  }
  EXPECT_GT(restored, 0U);
}

INSTANTIATE_TEST_SUITE_P(Shapes, EveryErasure,
                         testing::Values(Shape{10, 4}, Shape{1, 4}, Shape{2, 1}, Shape{5, 3}, Shape{9, 4},
                                         Shape{4, 0}, Shape{8, 8}));

TEST(Parity, RefusesShardsThatDoNotFitEachOther) {
  std::mt19937_64 random(random_seed());
  ParityCoder coder;
  const auto payloads = random_payloads(4, random);
  auto parity = coder.encode(payloads, 2);
  auto data = payloads;
  data[1].clear();
  parity[1].resize(parity[1].size() - 1);
  parity[0].clear();
  data[0].resize(100);  // longer than the parity says that any is
  EXPECT_FALSE(coder.recover(data, parity));
  data = payloads;
  data[1].clear();
  data[2].clear();
  parity = coder.encode(payloads, 2);
  parity[1].resize(parity[1].size() - 1);
  EXPECT_FALSE(coder.recover(data, parity));
}

TEST(GroupShape, IsReadFromItsTextOrRefusedWithASentence) {
  const auto shape = GroupShape::parse("8+3");
  ASSERT_TRUE(shape.ok());
  EXPECT_EQ(shape->data, 8);
  EXPECT_EQ(shape->parity, 3);
  for (const char* wrong :
       {"", "+", "10", "10+", "+4", "0+4", "33+4", "10+17", "10+4x", "a+b", "10-4", "10 +4"}) {
    const auto refused = GroupShape::parse(wrong);
    ASSERT_FALSE(refused.ok()) << wrong;
    EXPECT_EQ(refused.error().field, "sync_group");
  }
}

}  // namespace
}  // namespace penstock
