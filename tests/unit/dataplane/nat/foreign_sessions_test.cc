// Sessions of other gateways: against a model, while workers read, and the ring that carries events.

#include "dataplane/nat/foreign_sessions.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <random>
#include <string>
#include <thread>

#include "dataplane/nat/nat_events.h"
#include "tests/unit/dataplane/nat/session_maker.h"

namespace penstock::test {
namespace {

TEST(ForeignSessions, AreFoundByBothTuplesAndByNoOther) {
  ForeignSessions sessions(16, kSessionKey);
  const NatSessionRecord session = numbered_session(1, 2);
  ASSERT_TRUE(sessions.put(7, session, 0, 100));
  NatSessionRecord found;
  EXPECT_TRUE(sessions.find_client(session.client, found));
  EXPECT_EQ(found.answer, session.answer);
  EXPECT_TRUE(sessions.find_answer(session.answer, found));
  EXPECT_EQ(found.client, session.client);
  EXPECT_FALSE(sessions.find_client(session.answer, found)) << "the directions are apart";
  EXPECT_FALSE(sessions.find_answer(session.client, found));
  EXPECT_FALSE(sessions.find_client(numbered_session(2, 2).client, found));
}

TEST(ForeignSessions, OnlyWhoToldLastMayEndASession) {
  ForeignSessions sessions(16, kSessionKey);
  NatSessionRecord found;
  sessions.put(7, numbered_session(1, 2), 3, 100);
  EXPECT_FALSE(sessions.erase(7, 4));
  EXPECT_FALSE(sessions.erase(8, 3));
  sessions.put(7, numbered_session(1, 2), 4, 100);
  EXPECT_FALSE(sessions.erase(7, 3));
  EXPECT_TRUE(sessions.find_client(numbered_session(1, 2).client, found));
  EXPECT_TRUE(sessions.erase(7, 4));
  EXPECT_FALSE(sessions.find_client(numbered_session(1, 2).client, found));
  EXPECT_EQ(sessions.size(), 0U);
}

TEST(ForeignSessions, OfTwoThatCannotBothBeAliveTheLaterOpenedStays) {
  ForeignSessions sessions(16, kSessionKey);
  NatSessionRecord found;
  sessions.put(1, numbered_session(10, 20, 500), 0, 100);
  sessions.put(1, numbered_session(10, 21, 400), 0, 100);  // the client's port, opened before
  ASSERT_TRUE(sessions.find_client(numbered_session(10, 0).client, found));
  EXPECT_EQ(found.opened_ms, 500U);
  sessions.put(1, numbered_session(10, 22, 600), 0, 100);
  ASSERT_TRUE(sessions.find_client(numbered_session(10, 0).client, found));
  EXPECT_EQ(found.opened_ms, 600U);
  EXPECT_FALSE(sessions.find_answer(numbered_session(0, 20).answer, found));
  sessions.put(2, numbered_session(11, 22, 700), 0, 100);  // the source port
  EXPECT_FALSE(sessions.find_client(numbered_session(10, 0).client, found));
  sessions.put(1, numbered_session(10, 22, 600), 0, 100);
  EXPECT_FALSE(sessions.find_client(numbered_session(10, 0).client, found));
  EXPECT_EQ(sessions.size(), 1U);
}

TEST(ForeignSessions, ALeaseEndsAndMakesRoom) {
  ForeignSessions sessions(4, kSessionKey);
  for (std::uint32_t i = 0; i < 4; ++i) ASSERT_TRUE(sessions.put(i, numbered_session(i, i), 0, 100 + i));
  EXPECT_FALSE(sessions.put(9, numbered_session(9, 9), 0, 200)) << "no room";
  sessions.sweep(101, 4);
  EXPECT_EQ(sessions.size(), 2U);
  EXPECT_TRUE(sessions.put(9, numbered_session(9, 9), 0, 200));
}

TEST(ForeignSessions, AgreeWithAMapUnderRandomOperations) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  ForeignSessions sessions(256, kSessionKey);
  struct Known {
    std::uint32_t answer;
    std::uint8_t peer;
  };
  std::map<std::uint32_t, Known> model;  // client -> ; the client's number is its key
  for (int i = 0; i < 100'000; ++i) {
    const auto client = static_cast<std::uint32_t>(random() % 300);
    const auto answer = static_cast<std::uint32_t>(random() % 1000);
    const auto peer = static_cast<std::uint8_t>(random() % 2);
    if (random() % 3 == 0) {
      const auto known = model.find(client);
      const bool ends = known != model.end() && known->second.peer == peer;
      ASSERT_EQ(sessions.erase(client, peer), ends) << "step " << i;
      if (ends) model.erase(known);
    } else {
      const bool known = model.contains(client);
      std::erase_if(model, [&](const auto& m) { return m.second.answer == answer && m.first != client; });
      const bool room = known || model.size() < 256;
      ASSERT_EQ(sessions.put(client, numbered_session(client, answer, 1 + i), peer, 1), room) << "step " << i;
      if (room) model[client] = {answer, peer};
    }
    ASSERT_EQ(sessions.size(), model.size()) << "step " << i;
    NatSessionRecord found;
    const auto asked = static_cast<std::uint32_t>(random() % 300);
    const auto known = model.find(asked);
    ASSERT_EQ(sessions.find_client(numbered_session(asked, 0).client, found), known != model.end());
    if (known == model.end()) continue;
    ASSERT_EQ(found.answer, numbered_session(0, known->second.answer).answer);
    ASSERT_TRUE(sessions.find_answer(found.answer, found));
    ASSERT_EQ(found.client, numbered_session(asked, 0).client);
  }
}

// The client's and the answer's number are the same in what the writer puts, so half of one session and half
// of another would show.
TEST(ForeignSessions, AReaderSeesASessionWholeOrNotAtAll) {
  ForeignSessions sessions(64, kSessionKey);
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> found_count{0};
  const auto read = [&](std::uint64_t seed) {
    std::mt19937_64 random(seed);
    while (!stop.load(std::memory_order_relaxed)) {
      const auto number = static_cast<std::uint32_t>(random() % 128);
      NatSessionRecord found;
      if (!sessions.find_client(numbered_session(number, 0).client, found)) continue;
      found_count.fetch_add(1, std::memory_order_relaxed);
      ASSERT_EQ(found.backend_name, found.opened_ms);
      ASSERT_EQ(found.proxy.first, static_cast<std::uint32_t>(found.opened_ms));
      ASSERT_EQ(found.client, numbered_session(number, 0).client);
    }
  };
  std::thread first(read, 1);
  std::thread second(read, 2);
  std::mt19937_64 random(3);
  for (std::uint64_t i = 1; i < 200'000 || found_count.load(std::memory_order_relaxed) < 1000; ++i) {
    const auto number = static_cast<std::uint32_t>(random() % 128);
    NatSessionRecord session = numbered_session(number, 1000 + static_cast<std::uint32_t>(random() % 64), i);
    session.backend_name = i;
    session.proxy.first = static_cast<std::uint32_t>(i);
    if (random() % 4 == 0) {
      sessions.erase(number, 0);
    } else {
      sessions.put(number, session, 0, 1);
    }
  }
  stop.store(true);
  first.join();
  second.join();
}

TEST(NatEvents, WhatDoesNotFitIsDroppedAndCounted) {
  NatEvents events(4);
  NatEvent event;
  for (std::uint64_t i = 0; i < 6; ++i) {
    event.key = i;
    EXPECT_EQ(events.push(event), i < 4);
  }
  EXPECT_EQ(events.dropped(), 2U);
  for (std::uint64_t i = 0; i < 4; ++i) {
    ASSERT_TRUE(events.pop(event));
    EXPECT_EQ(event.key, i);
  }
  EXPECT_FALSE(events.pop(event));
  EXPECT_TRUE(events.push(event));
}

TEST(NatEvents, ArriveInOrderAndWholeWhileTheWriterGoesOn) {
  NatEvents events(64);
  constexpr std::uint64_t kCount = 200'000;
  std::thread writer([&events] {
    for (std::uint64_t i = 0; i < kCount;) {
      NatEvent event;
      event.key = i;
      event.record.opened_ms = i;
      if (events.push(event)) ++i;
    }
  });
  for (std::uint64_t i = 0; i < kCount;) {
    NatEvent event;
    if (!events.pop(event)) continue;
    ASSERT_EQ(event.key, i);
    ASSERT_EQ(event.record.opened_ms, i);
    ++i;
  }
  writer.join();
}

}  // namespace
}  // namespace penstock::test
