#include "dataplane/control/ticker.h"

#include <gtest/gtest.h>

#include <atomic>

namespace penstock {
namespace {

TEST(Ticker, ActsAgainAndAgainUntilItGoes) {
  std::atomic<int> acts{0};
  {
    const Ticker ticker(std::chrono::milliseconds(1), [&] { ++acts; });
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (acts < 3 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  }
  const int at_the_end = acts;
  EXPECT_GE(at_the_end, 3);
  std::this_thread::sleep_for(std::chrono::milliseconds(5));  // long enough for what must not come
  EXPECT_EQ(acts, at_the_end);
}

TEST(Ticker, GoesAtOnceHoweverLongItsInterval) {
  const auto begin = std::chrono::steady_clock::now();
  { const Ticker ticker(std::chrono::hours(1), [] { ADD_FAILURE(); }); }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
}

}  // namespace
}  // namespace penstock
