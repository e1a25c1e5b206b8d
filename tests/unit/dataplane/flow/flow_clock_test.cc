#include "dataplane/flow/flow_clock.h"

#include <gtest/gtest.h>

#include "dataplane/flow/flow_bucket.h"

namespace penstock {
namespace {

double seconds(Tick ticks) { return static_cast<double>(ticks) * (1U << kTickShift) / 1e9; }

TEST(IdleTicks, KeepAFlowForItsTimeoutEvenWhenTheLastRefreshWasNotWritten) {
  for (std::uint32_t s : {1U, 2U, 7U, 10U, 60U, 900U, 3600U, kMaxIdleTimeoutSeconds}) {
    const Tick stored = IdleTicks::from_seconds(s, s, s, s).of(IdleClass::kUdp);
    const Tick unwritten = IdleTicks::refresh_step(stored) - 1;
    EXPECT_GE(seconds(stored - unwritten - 1), s) << s << " s";
    EXPECT_LE(seconds(stored), s * 16.0 / 15 + seconds(4)) << s << " s";
  }
}

TEST(IdleTicks, EachClassHasItsOwnTimeout) {
  const IdleTicks idle = IdleTicks::from_seconds(10, 900, 30, 60);
  EXPECT_NEAR(seconds(idle.of(IdleClass::kSyn)), 10.7, 0.6);
  EXPECT_NEAR(seconds(idle.of(IdleClass::kEstablished)), 960, 0.6);
  EXPECT_NEAR(seconds(idle.of(IdleClass::kClosing)), 32, 0.6);
  EXPECT_NEAR(seconds(idle.of(IdleClass::kUdp)), 64, 0.6);
}

TEST(IdleTicks, AreClampedToTheLimits) {
  EXPECT_EQ(IdleTicks::from_seconds(0, 0, 0, 0).of(IdleClass::kSyn),
            IdleTicks::from_seconds(1, 1, 1, 1).of(IdleClass::kSyn));
  EXPECT_EQ(IdleTicks::from_seconds(~0U, 1, 1, 1).of(IdleClass::kSyn), kMaxIdleTicks);
}

TEST(FlowWord, FieldsDoNotTouchEachOther) {
  using namespace flow_word;
  const std::uint64_t w = make(0xffff'1234'0000'0000, 0xabcdef, FlowState::kEstablished, 0xf'4321);
  EXPECT_EQ(backend(w), 0xabcdefU);
  EXPECT_EQ(state(w), FlowState::kEstablished);
  EXPECT_EQ(expiry(w), 0xf'4321U);
  EXPECT_FALSE(displaced(w));
  EXPECT_TRUE(has_tag_of(w, 0x0000'1234'ffff'ffff));
  EXPECT_FALSE(has_tag_of(w, 0x0000'1235'ffff'ffff));
  const std::uint64_t later = with(w | kDisplacedBit, FlowState::kClosing, 0xfff0'0005);
  EXPECT_EQ(backend(later), 0xabcdefU);
  EXPECT_EQ(state(later), FlowState::kClosing);
  EXPECT_EQ(expiry(later), 5U);
  EXPECT_TRUE(displaced(later));
  EXPECT_TRUE(has_tag_of(later, 0x0000'1234'ffff'ffff));
}

TEST(FlowWord, LivesUntilItsTickAndNotOnIt) {
  const std::uint64_t w = flow_word::make(1, 2, FlowState::kUdp, 100);
  EXPECT_TRUE(flow_word::lives(w, 99));
  EXPECT_FALSE(flow_word::lives(w, 100));
  EXPECT_FALSE(flow_word::lives(w, 101));
  EXPECT_TRUE(flow_word::lives(w, 100 - kMaxIdleTicks));
  EXPECT_FALSE(flow_word::lives(w, 99 - kMaxIdleTicks));
  EXPECT_FALSE(flow_word::lives(flow_word::make(1, 2, FlowState::kFree, 100), 99));
}

}  // namespace
}  // namespace penstock
