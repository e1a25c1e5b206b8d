#include "controlplane/gateway/drain_policy.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

using Phase = DrainPolicy::Phase;

Nanoseconds ms(std::uint64_t n) { return Nanoseconds::from_millis(n); }

class DrainPolicyTest : public ::testing::Test {
 protected:
  /// Steps of 100 ms with so many packets in each.
  void pass(std::uint64_t until_ms, std::uint64_t packets_per_step, bool announced = true) {
    for (; now_ms_ < until_ms; now_ms_ += 100) {
      total_ += packets_per_step;
      policy_.packets(total_, ms(now_ms_));
      policy_.tick(announced, ms(now_ms_));
    }
  }
  void drain(bool announced = true) { policy_.want(true, ms(30'000), announced, ms(now_ms_)); }

  DrainPolicy policy_;
  std::uint64_t now_ms_ = 1'000'000;
  const std::uint64_t start_ = now_ms_;
  std::uint64_t total_ = 5'000;
};

TEST_F(DrainPolicyTest, AnnouncesNormallyWithoutADrain) {
  pass(start_ + 5'000, 0);
  EXPECT_EQ(policy_.phase(), Phase::kNone);
  EXPECT_EQ(policy_.mode(), AnnounceMode::kNormal);
}

TEST_F(DrainPolicyTest, StaysAnnouncedAsDrainedWhilePacketsCome) {
  drain();
  pass(start_ + 20'000, 3);
  EXPECT_EQ(policy_.phase(), Phase::kDraining);
  EXPECT_EQ(policy_.mode(), AnnounceMode::kDrained);
  EXPECT_EQ(policy_.packets_per_second(), 30u);
}

TEST_F(DrainPolicyTest, WithdrawsWhenNoPacketHasComeForASecondAndIsQuietAnotherSecondLater) {
  drain();
  pass(start_ + 2'000, 3);
  pass(start_ + 2'900, 0);
  EXPECT_EQ(policy_.phase(), Phase::kDraining);
  pass(start_ + 3'100, 0);
  EXPECT_EQ(policy_.phase(), Phase::kWithdrawn);
  EXPECT_EQ(policy_.mode(), AnnounceMode::kWithdrawn);
  pass(start_ + 4'200, 0);
  EXPECT_EQ(policy_.phase(), Phase::kQuiet);
  EXPECT_EQ(policy_.mode(), AnnounceMode::kWithdrawn);
}

TEST_F(DrainPolicyTest, GivesTheRoutersASecondEvenWithoutTraffic) {
  drain();
  pass(start_ + 1'000, 0);
  EXPECT_EQ(policy_.phase(), Phase::kDraining);
}

TEST_F(DrainPolicyTest, WithdrawsAtTheDeadlineThoughPacketsStillCome) {
  drain();
  pass(start_ + 30'000, 3);
  EXPECT_EQ(policy_.phase(), Phase::kDraining);
  pass(start_ + 40'000, 3);
  EXPECT_EQ(policy_.phase(), Phase::kWithdrawn) << "some traffic still comes";
  pass(start_ + 42'000, 0);
  EXPECT_EQ(policy_.phase(), Phase::kQuiet);
}

TEST_F(DrainPolicyTest, PacketAfterTheQuietIsNoQuiet) {
  drain();
  pass(start_ + 4'000, 0);
  ASSERT_EQ(policy_.phase(), Phase::kQuiet);
  pass(start_ + 4'100, 1);
  EXPECT_EQ(policy_.phase(), Phase::kWithdrawn);
}

TEST_F(DrainPolicyTest, GatewayThatAnnouncesNothingDoesNotAnnounceInOrderToDrain) {
  drain(false);
  EXPECT_EQ(policy_.phase(), Phase::kWithdrawn);
}

TEST_F(DrainPolicyTest, DataplaneThatDiesWhileDrainingIsWithdrawn) {
  drain();
  pass(start_ + 500, 3);
  policy_.tick(false, ms(now_ms_));
  EXPECT_EQ(policy_.phase(), Phase::kWithdrawn);
}

TEST_F(DrainPolicyTest, RestartedDataplaneCountsFromZeroAndThatIsNoTraffic) {
  drain();
  pass(start_ + 4'000, 0);
  total_ = 0;
  pass(start_ + 5'000, 0);
  EXPECT_EQ(policy_.phase(), Phase::kQuiet);
}

TEST_F(DrainPolicyTest, UndrainAnnouncesAtOnceFromEveryPhase) {
  for (const std::uint64_t drained_for : {500u, 1'500u, 4'000u}) {
    drain();
    pass(now_ms_ + drained_for, 0);
    EXPECT_EQ(policy_.elapsed(ms(now_ms_)), ms(drained_for));
    policy_.want(false, ms(30'000), true, ms(now_ms_));
    EXPECT_EQ(policy_.mode(), AnnounceMode::kNormal);
    EXPECT_EQ(policy_.elapsed(ms(now_ms_)), ms(0));
  }
}

TEST_F(DrainPolicyTest, ShorterDeadlineHoldsForADrainUnderWay) {
  drain();
  pass(start_ + 5'000, 3);
  policy_.want(true, ms(3'000), true, ms(now_ms_));
  pass(now_ms_ + 100, 3);
  EXPECT_EQ(policy_.phase(), Phase::kWithdrawn);
}

}  // namespace
}  // namespace penstock
