#include "dataplane/config/table_pool.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

constexpr std::uint32_t kSize = 1009;

std::vector<MaglevBackend> backends(std::uint64_t first, std::uint32_t weight) {
  return {{first, 1, 1}, {first + 1, 1, weight}, {first + 2, 1, 1}};
}

TEST(TablePool, ServicesWithTheSameBackendsAndWeightsShareBaseAndTable) {
  TablePool pool;
  const auto base = pool.base(backends(7, 1), kSize).value();
  const auto table = pool.table(*base, backends(7, 1)).value();
  EXPECT_EQ(pool.base(backends(7, 1), kSize).value(), base);
  EXPECT_EQ(pool.table(*base, backends(7, 1)).value(), table);
}

TEST(TablePool, OtherWeightsOrAnotherOrderShareTheBaseOnly) {
  TablePool pool;
  const auto base = pool.base(backends(7, 1), kSize).value();
  const auto table = pool.table(*base, backends(7, 1)).value();
  EXPECT_EQ(pool.base(backends(7, 5), kSize).value(), base);
  EXPECT_NE(pool.table(*base, backends(7, 5)).value(), table);
  auto reversed = backends(7, 1);
  std::swap(reversed.front(), reversed.back());
  EXPECT_EQ(pool.base(reversed, kSize).value(), base);
  const auto other = pool.table(*base, reversed).value();
  for (std::uint32_t slot = 0; slot < kSize; ++slot) ASSERT_EQ(other->owner(slot), 2 - table->owner(slot));
}

TEST(TablePool, OtherBackendsOrAnotherSizeShareNothing) {
  TablePool pool;
  const auto base = pool.base(backends(7, 1), kSize).value();
  EXPECT_NE(pool.base(backends(8, 1), kSize).value(), base);
  EXPECT_NE(pool.base(backends(7, 1), 2003).value(), base);
}

TEST(TablePool, WhatNobodyHoldsIsForgotten) {
  TablePool pool;
  std::weak_ptr<const MaglevBase> base;
  {
    const auto made = pool.base(backends(7, 1), kSize).value();
    base = made;
  }
  EXPECT_TRUE(base.expired());
  EXPECT_TRUE(pool.base(backends(7, 1), kSize).ok());
}

TEST(TablePool, RefusesWhatMaglevRefuses) {
  TablePool pool;
  EXPECT_EQ(pool.base(backends(7, 1), 1000).error().field, "table_size");
  const auto base = pool.base(backends(7, 1), kSize).value();
  EXPECT_FALSE(pool.table(*base, backends(8, 1)).ok());
}

}  // namespace
}  // namespace penstock
