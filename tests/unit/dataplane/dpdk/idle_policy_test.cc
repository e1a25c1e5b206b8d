#include "dataplane/dpdk/idle_policy.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

TEST(IdlePolicy, KnowsFourWords) {
  EXPECT_EQ(parse_idle_policy("spin").value(), (IdlePolicy{IdleMode::kSpin, 0}));
  EXPECT_EQ(parse_idle_policy("pause").value(), (IdlePolicy{IdleMode::kPause, 0}));
  EXPECT_EQ(parse_idle_policy("interrupt").value(), (IdlePolicy{IdleMode::kInterrupt, 0}));
  EXPECT_EQ(parse_idle_policy("sleep:1").value(), (IdlePolicy{IdleMode::kSleep, 1}));
  EXPECT_EQ(parse_idle_policy("sleep:10000").value(), (IdlePolicy{IdleMode::kSleep, 10'000}));
}

TEST(IdlePolicy, RefusesSleepsThatWouldStallTheHeartbeatAndEverythingElse) {
  for (const char* bad : {"", "Spin", "sleep", "sleep:", "sleep:0", "sleep:10001", "sleep:-1", "sleep:5us",
                          "sleep: 5", "sleep:99999999999"}) {
    EXPECT_FALSE(parse_idle_policy(bad)) << bad;
  }
}

}  // namespace
}  // namespace penstock
