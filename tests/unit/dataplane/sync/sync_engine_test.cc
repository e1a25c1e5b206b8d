// Whole engines over a lossy wire: what peers know, when, and what they refuse.
#include "dataplane/sync/sync_engine.h"

#include <gtest/gtest.h>

#include "tests/unit/dataplane/sync/engine_world.h"
#include "tests/unit/dataplane/sync/seeded.h"

namespace penstock {
namespace {

constexpr Nanoseconds kSecond = Nanoseconds::from_seconds(1);

bool same(const FakeSource& told, const FakeSink& known) {
  if (told.flows.size() != known.flows.size()) return false;
  for (const auto& [key, value] : told.flows) {
    const auto at = known.flows.find(key);
    if (at == known.flows.end() || at->second.value != value) return false;
  }
  return true;
}

TEST(SyncEngine, PeersLearnWhatIsToldAndForgetWhatHasEnded) {
  EngineWorld world(3);
  for (std::uint64_t key = 1; key <= 1000; ++key)
    world[0].source.flows[key] = static_cast<std::uint32_t>(key);
  world.run(kSecond);
  EXPECT_TRUE(same(world[0].source, world[1].sink));
  EXPECT_TRUE(same(world[0].source, world[2].sink));
  EXPECT_TRUE(world[0].sink.flows.empty());
  world[0].source.flows.erase(500);
  world[0].source.flows[501] = 7;
  world.run(kSecond);
  EXPECT_EQ(world[1].sink.flows.size(), 999U);
  EXPECT_EQ(world[1].sink.flows.at(501).value, 7U);
  world[0].source.flows.clear();
  world.run(kSecond);
  EXPECT_TRUE(world[1].sink.flows.empty());
}

class UnderLoss : public testing::TestWithParam<double> {};

// New records all the time, some end, some change; whatever has been told for 2 s must be known.
TEST_P(UnderLoss, EveryRecordIsKnownTwoSecondsAfterItWasFirstTold) {
  const auto seed = random_seed();
  std::mt19937_64 random(seed);
  EngineWorld world(2, seed);
  world.loss = GetParam();
  std::map<std::uint64_t, Nanoseconds> born;
  world.before_tick = [&] {
    for (int i = 0; i < 50; ++i) {
      const std::uint64_t key = random();
      world[0].source.flows[key] = 1;
      born[key] = world.time().now;
    }
  };
  std::uint64_t late = 0, known = 0;
  Nanoseconds worst;
  for (int step = 0; step < 50; ++step) {
    world.run(Nanoseconds::from_millis(200));
    for (const auto& [key, at] : born) {
      if (at + kSecond + kSecond > world.time().now) continue;
      world[1].sink.flows.contains(key) ? ++known : ++late;
    }
  }
  for (const auto& [key, at] : world[1].sink.flows) worst = std::max(worst, at.first - born.at(key));
  EXPECT_GT(known, 500'000U);
  EXPECT_EQ(late, 0U) << "of " << known + late << ", the slowest took " << worst.count() / 1'000'000 << " ms";
  const auto report = world[1].engine->report(world.time().now).peers.at(0);
  std::printf("loss %.2f: lost %llu recovered %llu repaired %llu slowest %llu ms\n", GetParam(),
              static_cast<unsigned long long>(report.lost), static_cast<unsigned long long>(report.recovered),
              static_cast<unsigned long long>(report.repaired),
              static_cast<unsigned long long>(worst.count() / 1'000'000));
  EXPECT_EQ(world.refused(1, Refusal::kMalformed), 0U);
  EXPECT_EQ(world.refused(1, Refusal::kReplay), 0U);
}
INSTANTIATE_TEST_SUITE_P(Rates, UnderLoss, testing::Values(0.0, 0.05, 0.2));

TEST(SyncEngine, EndsAreKnownUnderLossToo) {
  EngineWorld world(2, random_seed());
  world.loss = 0.2;
  for (std::uint64_t key = 1; key <= 20'000; ++key) world[0].source.flows[key] = 1;
  world.run(Nanoseconds::from_seconds(3));
  ASSERT_TRUE(same(world[0].source, world[1].sink));
  for (std::uint64_t key = 1; key <= 20'000; key += 3) world[0].source.flows.erase(key);
  world.run(Nanoseconds::from_seconds(3));
  EXPECT_TRUE(same(world[0].source, world[1].sink));
}

TEST(SyncEngine, ASilentPeersRecordsStayAndAreNoLongerRenewed) {
  EngineWorld world(2);
  for (std::uint64_t key = 1; key <= 100; ++key) world[0].source.flows[key] = 1;
  world.run(Nanoseconds::from_seconds(25));
  ASSERT_EQ(world[1].sink.flows.size(), 100U);
  for (const auto& [key, known] : world[1].sink.flows) {
    EXPECT_GT(known.at + Nanoseconds::from_seconds(12), world.time().now)
        << "renewed within its walk of 10 s";
  }
  world.stop(0);
  const Nanoseconds silent_since = world.time().now;
  world.run(Nanoseconds::from_seconds(60));
  EXPECT_EQ(world[1].sink.flows.size(), 100U) << "exactly what is needed now";
  for (const auto& [key, known] : world[1].sink.flows)
    EXPECT_LT(known.at, silent_since + Nanoseconds::from_seconds(3));
  EXPECT_GE(world[1].engine->report(world.time().now).peers.at(0).silent_ms, 59'000U);
}

TEST(SyncEngine, ARestartedPeerThatKnowsNothingTakesNothingBack) {
  EngineWorld world(2);
  for (std::uint64_t key = 1; key <= 100; ++key) world[0].source.flows[key] = 1;
  world.run(kSecond);
  ASSERT_EQ(world[1].sink.flows.size(), 100U);
  world.stop(0);
  world[0].source.flows.clear();
  world.run(kSecond);
  world.start(0);
  world.run(Nanoseconds::from_seconds(3));
  EXPECT_EQ(world[1].sink.flows.size(), 100U);
  world[0].source.flows[1] = 9;  // and what the new run tells is believed
  world.run(kSecond);
  EXPECT_EQ(world[1].sink.flows.at(1).value, 9U);
  EXPECT_EQ(world.refused(1, Refusal::kMalformed), 0U);
}

TEST(SyncEngine, WhatTwoPeersTellLivesUntilBothHaveEndedIt) {
  EngineWorld world(3);
  world[0].source.flows[42] = 5;
  world.run(kSecond);
  world[1].source.flows[42] = 5;
  world.run(kSecond);
  world[1].source.flows.clear();
  world.run(kSecond);
  ASSERT_TRUE(world[2].sink.flows.contains(42));
  world[0].source.flows.clear();
  world.run(kSecond);
  EXPECT_FALSE(world[2].sink.flows.contains(42));
}

TEST(SyncEngine, ANewPeerIsToldEverythingAndAKnownOneIsNotDisturbed) {
  SyncSettings settings;
  EngineWorld world(2, 1, settings);
  for (std::uint64_t key = 1; key <= 5000; ++key) world[0].source.flows[key] = 1;
  world.run(kSecond);
  auto peers = world[1].engine->peers();
  const auto before = world[1].engine->report(world.time().now).peers.at(0);
  peers.push_back({"gw9", *SyncAddress::parse("192.0.2.99:6082")});
  world[1].engine->set_peers(peers);
  world.run(kSecond);
  const auto after = world[1].engine->report(world.time().now).peers.at(0);
  EXPECT_GT(after.received, before.received);
  EXPECT_EQ(after.records, 5000U);
  peers.pop_back();
  world[1].engine->set_peers(peers);
  EXPECT_EQ(world[1].engine->report(world.time().now).peers.size(), 1U);
}

TEST(SyncEngine, TheRateBoundsWhatIsSent) {
  SyncSettings settings;
  settings.records_per_second = 10'000;
  EngineWorld world(2, 1, settings);
  world.run(kSecond);
  for (std::uint64_t key = 1; key <= 30'000; ++key) world[0].source.flows[key] = 1;
  world.run(kSecond);
  EXPECT_LE(world[1].sink.flows.size(), 11'000U);
  EXPECT_GE(world[1].sink.flows.size(), 5'000U);
  world.run(Nanoseconds::from_seconds(5));
  EXPECT_TRUE(same(world[0].source, world[1].sink));
}

TEST(SyncEngine, ReplayedDatagramsAreRefusedAndCounted) {
  EngineWorld world(3);
  std::vector<EngineWorld::Datagram> recorded;
  world.tap = [&](const auto& datagram) { recorded.push_back(datagram); };
  world[0].source.flows[42] = 5;
  world.run(kSecond);
  world.tap = nullptr;
  world[0].source.flows.clear();
  world.run(kSecond);
  ASSERT_TRUE(world[1].sink.flows.empty());
  std::uint64_t replayed = 0;
  for (const auto& datagram : recorded) {
    if (datagram.to != world[1].address) continue;
    ++replayed;
    world[1].engine->receive(datagram.from, datagram.bytes, world.time());
  }
  EXPECT_TRUE(world[1].sink.flows.empty());
  EXPECT_EQ(world.refused(1, Refusal::kReplay), replayed);
  // What was meant for one gateway is worth nothing to another.
  std::uint64_t diverted = 0;
  for (const auto& datagram : recorded) {
    if (datagram.to != world[1].address || datagram.from != world[0].address) continue;
    ++diverted;
    world[2].engine->receive(datagram.from, datagram.bytes, world.time());
  }
  EXPECT_GE(world.refused(2, Refusal::kReplay), diverted - 2) << "but for greetings, which say nothing";
  EXPECT_TRUE(world[2].sink.flows.empty());
}

TEST(SyncEngine, ReplaysToARestartedGatewayAreRefused) {
  EngineWorld world(2);
  std::vector<EngineWorld::Datagram> recorded;
  world.tap = [&](const auto& datagram) { recorded.push_back(datagram); };
  world[0].source.flows[42] = 5;
  world.run(kSecond);
  world.tap = nullptr;
  world.stop(0);
  world.start(1);
  world[1].sink.flows.clear();
  for (const auto& datagram : recorded) {
    if (datagram.to == world[1].address)
      world[1].engine->receive(datagram.from, datagram.bytes, world.time());
  }
  EXPECT_TRUE(world[1].sink.flows.empty());
}

TEST(SyncEngine, AnOlderSessionOfAPeerIsRefused) {
  EngineWorld world(2);
  std::vector<EngineWorld::Datagram> recorded;
  world.tap = [&](const auto& datagram) {
    if (datagram.from == world[0].address) recorded.push_back(datagram);
  };
  world.run(kSecond);
  world.tap = nullptr;
  world.start(0);
  world.run(kSecond);
  const auto before = world.refused(1, Refusal::kReplay);
  for (const auto& datagram : recorded) world[1].engine->receive(datagram.from, datagram.bytes, world.time());
  EXPECT_EQ(world.refused(1, Refusal::kReplay) - before, recorded.size());
}

TEST(SyncEngine, APeerWhoseClockWasSetBackIsHeardAgainAfterAMinuteOfSilence) {
  EngineWorld world(2);
  world[0].source.flows[1] = 1;
  world.run(kSecond);
  world.stop(0);
  world.start(0, -20'000'000'000);
  world[0].source.flows[2] = 1;
  world.run(kSecond);
  EXPECT_FALSE(world[1].sink.flows.contains(2)) << "an older session";
  world.run(Nanoseconds::from_seconds(62));
  EXPECT_TRUE(world[1].sink.flows.contains(2));
}

TEST(SyncEngine, APeerThatTellsMoreThanFitsIsNotAskedForItOverAndOver) {
  SyncSettings settings;
  settings.capacity = 20'000;
  EngineWorld world(2, 1, settings);
  SyncSettings large;
  world.start(0, 0, &large);
  for (std::uint64_t key = 1; key <= 50'000; ++key) world[0].source.flows[key] = 1;
  world.run(Nanoseconds::from_seconds(2));
  EXPECT_EQ(world[1].sink.flows.size(), 20'000U);
  const auto before = world[0].engine->report(world.time().now).peers.at(0).sent;
  world.run(Nanoseconds::from_seconds(2));
  EXPECT_LT(world[0].engine->report(world.time().now).peers.at(0).sent - before, 2000U);
}

TEST(SyncEngine, DatagramsOlderThanHalfAMinuteAreRefused) {
  EngineWorld world(2);
  world.run(kSecond);
  world.loss = 1;
  std::vector<EngineWorld::Datagram> held;
  world.tap = [&](const auto& datagram) { held.push_back(datagram); };
  world[0].source.flows[42] = 5;
  world.run(kSecond);
  world.tap = nullptr;
  world.run(Nanoseconds::from_seconds(31));
  const auto before = world.refused(1, Refusal::kReplay);
  std::uint64_t sent = 0;
  for (const auto& datagram : held) {
    if (datagram.to != world[1].address) continue;
    ++sent;
    world[1].engine->receive(datagram.from, datagram.bytes, world.time());
  }
  EXPECT_GT(sent, 0U);
  EXPECT_EQ(world.refused(1, Refusal::kReplay) - before, sent);
  EXPECT_TRUE(world[1].sink.flows.empty());
}

TEST(SyncEngine, StrangersForgeriesAndDamageAreRefusedByKindAndChangeNothing) {
  const auto seed = random_seed();
  std::mt19937_64 random(seed);
  EngineWorld world(2, seed);
  world[0].source.flows[42] = 5;
  world.run(kSecond);
  const auto deliver_changed = [&](auto change, std::size_t count) {
    for (std::size_t i = 0; i < count;) {
      world[0].engine->tick({world.time().now + Nanoseconds::from_millis(250), world.time().wall_ms});
      world.run(Nanoseconds::from_millis(200));
      world[0].source.flows[random()] = 1;
      world.tap = [&](const auto& datagram) {
        if (datagram.from != world[0].address || i >= count) return;
        auto bytes = datagram.bytes;
        ++i;
        change(datagram.from, bytes);
      };
      world.run(Nanoseconds::from_millis(300));
      world.tap = nullptr;
    }
  };
  deliver_changed(
      [&](SyncAddress from, auto& bytes) {
        from.port = 9;
        world[1].engine->receive(from, bytes, world.time());
      },
      10);
  EXPECT_EQ(world.refused(1, Refusal::kStranger), 10U);
  deliver_changed(
      [&](const SyncAddress& from, auto& bytes) {
        bytes[bytes.size() - 1 - random() % 16] ^= std::byte{1};
        world[1].engine->receive(from, bytes, world.time());
      },
      10);
  EXPECT_EQ(world.refused(1, Refusal::kAuthentication), 10U);
  deliver_changed(
      [&](const SyncAddress& from, auto& bytes) {
        bytes.resize(bytes.size() - 1 - random() % 40);
        world[1].engine->receive(from, bytes, world.time());
      },
      10);
  EXPECT_EQ(world.refused(1, Refusal::kMalformed), 10U);
  EXPECT_EQ(world.refused(1, Refusal::kReplay), 0U) << "the genuine ones still count once";
  world.run(kSecond);
  EXPECT_TRUE(same(world[0].source, world[1].sink));
}

TEST(SyncEngine, WithoutTheKeyNothingIsBelieved) {
  EngineWorld world(2);
  DerivedKey other;
  other.fill(8);
  world[1].engine->set_key(other);
  world[0].source.flows[42] = 5;
  world.run(kSecond);
  EXPECT_TRUE(world[1].sink.flows.empty());
  EXPECT_GT(world.refused(1, Refusal::kAuthentication), 0U);
  EXPECT_GT(world.refused(0, Refusal::kAuthentication), 0U);
}

TEST(SyncEngine, ASnapshotHoldsOwnRecordsAndTold) {
  EngineWorld world(2);
  world[0].source.flows[1] = 10;
  world[1].source.flows[2] = 20;
  world.run(kSecond);
  std::map<std::uint64_t, std::uint32_t> listed;
  world[1].engine->snapshot([&](const SyncRecord& record) { listed[record.key] = 1; });
  EXPECT_EQ(listed.size(), 2U);
}

}  // namespace
}  // namespace penstock
