// From a worker's ring to another gateway's table of foreign sessions, without the engine between them.

#include <gtest/gtest.h>

#include <map>

#include "dataplane/sync/nat_sink.h"
#include "dataplane/sync/nat_source.h"
#include "tests/unit/dataplane/nat/session_maker.h"

namespace penstock::test {
namespace {

class NatSync : public testing::Test {
 protected:
  void push(std::uint64_t key, const NatSessionRecord& record, bool ended = false) {
    ASSERT_TRUE(events_.push({record, key, ended}));
  }
  std::map<std::uint64_t, SyncRecord> told() {
    std::map<std::uint64_t, SyncRecord> out;
    source_.collect(now_, [&out](const SyncRecord& r) { out[r.key] = r; });
    return out;
  }
  void pass_ms(std::uint64_t ms) { now_ = now_ + Nanoseconds::from_millis(ms); }

  NatEvents events_{64};
  NatSource source_{std::vector<NatEvents*>{&events_}};
  Nanoseconds now_ = Nanoseconds::from_seconds(100);
};

TEST_F(NatSync, ASessionIsToldWhenItIsASecondOldAndUntilItEnds) {
  push(1, numbered_session(1, 2));
  EXPECT_TRUE(told().empty());
  pass_ms(999);
  EXPECT_TRUE(told().empty());
  pass_ms(1);
  EXPECT_TRUE(told().contains(1));
  push(1, numbered_session(1, 2), true);
  EXPECT_TRUE(told().empty());
}

TEST_F(NatSync, ANewSessionOfTheSamePortIsYoungAgainAndOutlivesTheOldOnesEnd) {
  push(1, numbered_session(1, 2, 10));
  EXPECT_TRUE(told().empty());
  pass_ms(1500);
  push(1, numbered_session(1, 3, 20));
  push(1, numbered_session(1, 2, 10), true);
  EXPECT_TRUE(told().empty());
  pass_ms(1000);
  ASSERT_TRUE(told().contains(1));
  EXPECT_EQ(decode_nat_record(told()[1].bytes())->opened_ms, 20U);
}

TEST_F(NatSync, ASessionWhoseEndWasLostIsForgottenAndOneThatIsToldAgainIsNot) {
  push(1, numbered_session(1, 2));
  push(2, numbered_session(3, 4));
  told();
  for (int i = 0; i < 6; ++i) {
    pass_ms(10'000);
    push(2, numbered_session(3, 4));
    EXPECT_TRUE(told().contains(2));
  }
  pass_ms(1);
  EXPECT_FALSE(told().contains(1));
  EXPECT_EQ(source_.size(), 1U);
}

TEST_F(NatSync, WhatIsToldIsFoundByTheOtherGatewaysWorkersAndInItsSnapshot) {
  ForeignSessions sessions(16, kSessionKey);
  NatSink sink(sessions);
  push(1, numbered_session(1, 2));
  told();
  pass_ms(1000);
  for (const auto& [key, record] : told()) EXPECT_TRUE(sink.put(record, 0, now_));
  NatSessionRecord found;
  EXPECT_TRUE(sessions.find_answer(numbered_session(1, 2).answer, found));
  std::vector<SyncRecord> snapshot;
  sink.collect([&snapshot](const SyncRecord& r) { snapshot.push_back(r); });
  ASSERT_EQ(snapshot.size(), 1U);
  EXPECT_EQ(snapshot[0].data, told()[1].data);
  sink.erase(1, 0);
  EXPECT_FALSE(sessions.find_answer(numbered_session(1, 2).answer, found));
}

TEST_F(NatSync, BytesThatAreNoSessionAreRefusedAndLoseNothing) {
  ForeignSessions sessions(16, kSessionKey);
  NatSink sink(sessions);
  push(1, numbered_session(1, 2));
  told();
  pass_ms(1000);
  SyncRecord record = told()[1];
  ASSERT_TRUE(sink.put(record, 0, now_));
  record.data[0] = std::byte{9};
  EXPECT_FALSE(sink.put(record, 0, now_));
  record.size = 0;
  EXPECT_FALSE(sink.put(record, 0, now_));
  EXPECT_EQ(sessions.size(), 1U);
}

}  // namespace
}  // namespace penstock::test
