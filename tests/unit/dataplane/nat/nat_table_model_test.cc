// The session table against std::unordered_map under random operations.

#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <string>
#include <unordered_map>

#include "dataplane/nat/nat_table.h"

namespace penstock {
namespace {

NatTuple tuple(std::uint32_t number) {
  NatTuple out;
  std::memcpy(out.source.data(), &number, sizeof number);
  out.source_port = be16(static_cast<std::uint16_t>(number));
  out.destination_port = be16(80);
  out.protocol = kProtoTcp;
  return out;
}

struct Known {
  std::uint32_t answer;
  Tick expires;
  NatProgress progress;
};

constexpr std::array<std::uint8_t, 32> kKey{1, 2, 3};

TEST(NatTableModel, AgreesWithAMapUnderRandomOperations) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  const IdleTicks idle = IdleTicks::from_seconds(1, 9, 3, 2);
  constexpr std::size_t kCapacity = 200;
  NatTable table(kCapacity, kKey);
  std::unordered_map<std::uint32_t, Known> model;  // by the client's number
  std::uint32_t next_answer = 1'000'000;
  Tick now = 1000;
  table.advance(now);
  for (int i = 0; i < 200'000; ++i) {
    const auto number = static_cast<std::uint32_t>(random() % 300);
    const auto known = model.find(number);
    const bool lives = known != model.end() && static_cast<std::int32_t>(now - known->second.expires) < 0;
    NatSession* session = table.find_client(tuple(number));
    ASSERT_EQ(session != nullptr, lives) << "step " << i;
    if (session != nullptr) {
      ASSERT_EQ(session->answer, tuple(known->second.answer));
      ASSERT_EQ(table.find_answer(tuple(known->second.answer)), session);
      ASSERT_EQ(table.find_client(tuple(known->second.answer)), nullptr) << "the directions are apart";
      if (random() % 16 == 0) {
        table.remove(*session);
        model.erase(known);
        continue;
      }
      const NatSide side = random() % 2 == 0 ? NatSide::kClient : NatSide::kBackend;
      const std::uint8_t flags[] = {kTcpAck, kTcpAck, kTcpAck, kTcpFin | kTcpAck, kTcpRst, kTcpSyn};
      const std::uint8_t chosen = flags[random() % 6];
      table.touch(*session, side, chosen, idle);
      known->second.progress.take(side, chosen);
      known->second.expires = now + idle.of(known->second.progress.idle_class(kProtoTcp));
    } else {
      if (known != model.end()) model.erase(known);
      std::erase_if(model, [&](const auto& entry) {
        return static_cast<std::int32_t>(now - entry.second.expires) >= 0;
      });
      const bool full = model.size() == kCapacity;  // more are never alive at once
      session = table.enter(tuple(number), tuple(next_answer));
      if (full) {
        std::size_t unconfirmed = 0;
        for (const auto& [client, entry] : model) unconfirmed += !entry.progress.confirmed;
        ASSERT_EQ(session != nullptr, unconfirmed != 0);
      } else {
        ASSERT_NE(session, nullptr) << "step " << i;
      }
      if (session != nullptr) {
        table.touch(*session, NatSide::kClient, kTcpSyn, idle);
        model[number] = {next_answer++, now + idle.of(IdleClass::kSyn), {}};
        // Whoever had to make room was not confirmed.
        std::erase_if(model, [&](const auto& entry) {
          const bool alive = static_cast<std::int32_t>(now - entry.second.expires) < 0;
          const bool gone = alive && table.find_client(tuple(entry.first)) == nullptr;
          EXPECT_FALSE(gone && entry.second.progress.confirmed) << "step " << i;
          return gone;
        });
      }
    }
    if (random() % 32 == 0) table.advance(now += static_cast<Tick>(random() % 4));
    ASSERT_LE(table.size(), kCapacity);
  }
}

TEST(NatTable, TheOldestUnconfirmedSessionMakesRoomAndConfirmedOnesStay) {
  const IdleTicks idle = IdleTicks::from_seconds(10, 900, 30, 60);
  NatTable table(3, kKey);
  table.advance(1);
  for (const std::uint32_t n : {1U, 2U, 3U})
    table.touch(*table.enter(tuple(n), tuple(100 + n)), NatSide::kClient, kTcpSyn, idle);
  NatSession& first = *table.find_client(tuple(1));
  table.touch(first, NatSide::kBackend, kTcpSyn | kTcpAck, idle);
  table.touch(first, NatSide::kClient, kTcpAck, idle);
  ASSERT_NE(table.enter(tuple(4), tuple(104)), nullptr);
  EXPECT_NE(table.find_client(tuple(1)), nullptr);
  EXPECT_EQ(table.find_client(tuple(2)), nullptr);
  EXPECT_NE(table.find_client(tuple(3)), nullptr);
}

TEST(NatTable, NothingIsEnteredWhenAllSessionsAreConfirmed) {
  const IdleTicks idle = IdleTicks::from_seconds(10, 900, 30, 60);
  NatTable table(2, kKey);
  table.advance(1);
  for (const std::uint32_t n : {1U, 2U}) {
    NatSession& session = *table.enter(tuple(n), tuple(100 + n));
    table.touch(session, NatSide::kBackend, 0, idle);
    table.touch(session, NatSide::kClient, 0, idle);
  }
  EXPECT_EQ(table.enter(tuple(3), tuple(103)), nullptr);
  table.advance(1 + idle.of(IdleClass::kEstablished));
  EXPECT_NE(table.enter(tuple(3), tuple(103)), nullptr) << "expired ones make room";
}

TEST(NatTable, TheSweepFreesExpiredSessionsWithoutAnyLookup) {
  const IdleTicks idle = IdleTicks::from_seconds(1, 1, 1, 1);
  NatTable table(1000, kKey);
  table.advance(1);
  for (std::uint32_t n = 0; n < 1000; ++n)
    table.touch(*table.enter(tuple(n), tuple(100'000 + n)), NatSide::kClient, kTcpSyn, idle);
  ASSERT_EQ(table.size(), 1000U);
  Tick now = 1 + idle.of(IdleClass::kSyn);
  for (int i = 0; i < 128; ++i) table.advance(now++);
  EXPECT_EQ(table.size(), 0U);
}

TEST(NatTable, WithoutCapacityNothingIsEnteredAndNothingFound) {
  NatTable table(0, kKey);
  table.advance(1);
  table.advance(1000);
  EXPECT_EQ(table.enter(tuple(1), tuple(2)), nullptr);
  EXPECT_EQ(table.find_client(tuple(1)), nullptr);
}

}  // namespace
}  // namespace penstock
