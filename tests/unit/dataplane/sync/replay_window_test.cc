#include "dataplane/sync/replay_window.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/unit/dataplane/sync/seeded.h"

namespace penstock {
namespace {

TEST(ReplayWindow, TakesEachNumberOnceInAnyOrder) {
  ReplayWindow window;
  EXPECT_TRUE(window.take(100));
  EXPECT_FALSE(window.take(100));
  EXPECT_TRUE(window.take(103));
  EXPECT_EQ(window.missing(), 2U);
  EXPECT_TRUE(window.take(102));
  EXPECT_TRUE(window.take(101));
  EXPECT_EQ(window.missing(), 0U);
  EXPECT_FALSE(window.take(101));
}

TEST(ReplayWindow, RefusesWhatIsTooFarBehindAndForgetsNothingNearer) {
  ReplayWindow window;
  ASSERT_TRUE(window.take(1));
  ASSERT_TRUE(window.take(1 + ReplayWindow::kSpan));
  EXPECT_FALSE(window.take(1));
  EXPECT_TRUE(window.take(2));
  EXPECT_FALSE(window.take(2));
  ASSERT_TRUE(window.take(10 * ReplayWindow::kSpan));
  EXPECT_FALSE(window.take(1 + ReplayWindow::kSpan));
}

TEST(ReplayWindow, AgreesWithASetOfAllThatCame) {
  std::mt19937_64 random(random_seed());
  ReplayWindow window;
  std::set<std::uint64_t> seen;
  std::uint64_t top = 5000;
  ASSERT_TRUE(window.take(top));
  seen.insert(top);
  for (int i = 0; i < 200'000; ++i) {
    const std::uint64_t jump = random() % 1000 == 0 ? random() % 20'000 : random() % 3;
    const std::uint64_t sequence = random() % 2 == 0 ? top + jump : top - random() % 9000 % top;
    const bool expected = sequence + ReplayWindow::kSpan > top && !seen.contains(sequence);
    ASSERT_EQ(window.take(sequence), expected) << sequence << " top " << top;
    seen.insert(sequence);
    top = std::max(top, sequence);
  }
}

}  // namespace
}  // namespace penstock
