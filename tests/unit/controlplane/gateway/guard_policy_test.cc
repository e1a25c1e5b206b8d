#include "controlplane/gateway/guard_policy.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

using State = GuardPolicy::State;

Nanoseconds ms(std::uint64_t n) { return Nanoseconds::from_millis(n); }

class GuardPolicyTest : public ::testing::Test {
 protected:
  void beats(std::uint64_t from_ms, std::uint64_t to_ms, bool fetching = false) {
    for (std::uint64_t t = from_ms; t <= to_ms; t += 20) {
      policy_.beat(ms(t), {.configured = true, .fetching = fetching});
      policy_.tick(ms(t));
    }
  }

  GuardPolicy policy_{GuardTiming{}, ms(0)};  // 20 ms, 100 ms, hold 200 ms, start grace 1 s
};

TEST_F(GuardPolicyTest, WaitsForTheFirstBeatBeforeItJudges) {
  policy_.tick(ms(999));
  EXPECT_EQ(policy_.state(), State::kStarting);
  policy_.tick(ms(1000));
  EXPECT_EQ(policy_.state(), State::kDead);
}

TEST_F(GuardPolicyTest, IsAliveAfterTheHoldTimeOfSteadyBeats) {
  beats(20, 200);
  EXPECT_EQ(policy_.state(), State::kReturning);
  beats(220, 220);
  EXPECT_EQ(policy_.state(), State::kAlive);
}

TEST_F(GuardPolicyTest, DiesWhenNoBeatComesWithinTheTimeout) {
  beats(20, 400);
  EXPECT_EQ(policy_.deadline(), ms(500));
  policy_.tick(ms(499));
  EXPECT_EQ(policy_.state(), State::kAlive);
  policy_.tick(ms(500));
  EXPECT_EQ(policy_.state(), State::kDead);
}

TEST_F(GuardPolicyTest, GapDuringTheHoldTimeStartsItAnew) {
  beats(20, 160);
  policy_.tick(ms(260));
  ASSERT_EQ(policy_.state(), State::kDead);
  beats(300, 480);
  EXPECT_EQ(policy_.state(), State::kReturning);
  beats(500, 500);
  EXPECT_EQ(policy_.state(), State::kAlive);
}

TEST_F(GuardPolicyTest, BeatWithoutConfigurationIsDeathAtOnce) {
  beats(20, 400);
  policy_.beat(ms(420), {});
  EXPECT_EQ(policy_.state(), State::kDead);
}

TEST_F(GuardPolicyTest, UnconfiguredDataplaneAtStartIsDead) {
  policy_.beat(ms(5), {});
  EXPECT_EQ(policy_.state(), State::kDead);
}

TEST_F(GuardPolicyTest, GuardThatOversleptGivesTheBeatsOneMoreInterval) {
  beats(20, 400);
  policy_.tick(ms(900));
  EXPECT_EQ(policy_.state(), State::kAlive);
  EXPECT_EQ(policy_.deadline(), ms(920));
  policy_.beat(ms(905), {.configured = true});
  policy_.tick(ms(920));
  EXPECT_EQ(policy_.state(), State::kAlive);
}

TEST_F(GuardPolicyTest, DataplaneThatIsGoneIsDeadAtOnceAndReturnsLikeAnyOther) {
  beats(20, 400);
  policy_.gone();
  EXPECT_EQ(policy_.state(), State::kDead);
  beats(500, 680);
  EXPECT_EQ(policy_.state(), State::kReturning);
  beats(700, 700);
  EXPECT_EQ(policy_.state(), State::kAlive);
}

TEST_F(GuardPolicyTest, WaitsForTheFlowsOfThePeers) {
  beats(20, 2000, true);
  EXPECT_EQ(policy_.state(), State::kReturning);
  beats(2020, 2020);
  EXPECT_EQ(policy_.state(), State::kAlive);
}

TEST_F(GuardPolicyTest, WaitsFiveSecondsForTheFlowsOfThePeersAndNoLonger) {
  beats(20, 5000, true);
  EXPECT_EQ(policy_.state(), State::kReturning);
  beats(5020, 5020, true);
  EXPECT_EQ(policy_.state(), State::kAlive);
}

TEST_F(GuardPolicyTest, DataplaneThatIsAliveMayFetchAgain) {
  beats(20, 400);
  beats(420, 500, true);
  EXPECT_EQ(policy_.state(), State::kAlive);
}

TEST_F(GuardPolicyTest, OversleepingIsForgivenOnlyOnce) {
  beats(20, 400);
  policy_.tick(ms(900));
  policy_.tick(ms(2000));
  EXPECT_EQ(policy_.state(), State::kDead);
}

}  // namespace
}  // namespace penstock
