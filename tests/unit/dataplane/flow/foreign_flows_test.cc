// Foreign flows against a map, at full load, under moves; and readers that must never miss or mistake a flow
// while the writer works (run under TSan as well).
#include "dataplane/flow/foreign_flows.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <unordered_map>
#include <vector>

#include "tests/unit/dataplane/flow/table_memory.h"

namespace penstock {
namespace {

TEST(ForeignFlows, TellsTheBackendOfAFlowAndForgetsIt) {
  ForeignFlows flows(1000);
  EXPECT_EQ(flows.find(42), kNoBackend);
  ASSERT_TRUE(flows.put(42, 7, 1, 100));
  EXPECT_EQ(flows.find(42), 7U);
  ASSERT_TRUE(flows.put(42, 8, 1, 100)) << "replaces";
  EXPECT_EQ(flows.find(42), 8U);
  EXPECT_EQ(flows.size(), 1U);
  EXPECT_TRUE(flows.erase(42, 1));
  EXPECT_EQ(flows.find(42), kNoBackend);
  EXPECT_EQ(flows.size(), 0U);
  EXPECT_FALSE(flows.erase(42, 1));
}

TEST(ForeignFlows, OnlyTheLastPeerThatToldOfAFlowEndsIt) {
  ForeignFlows flows(1000);
  ASSERT_TRUE(flows.put(42, 7, 1, 100));
  ASSERT_TRUE(flows.put(42, 7, 2, 100));
  EXPECT_FALSE(flows.erase(42, 1));
  EXPECT_EQ(flows.find(42), 7U);
  EXPECT_TRUE(flows.erase(42, 2));
}

TEST(ForeignFlows, RefusesWhatItCannotHold) {
  ForeignFlows flows(10);
  EXPECT_FALSE(flows.put(0, 7, 1, 100)) << "marks free entries";
  EXPECT_EQ(flows.find(0), kNoBackend);
  EXPECT_FALSE(flows.put(42, kNoBackend, 1, 100));
  for (std::uint64_t i = 1; i <= 10; ++i) ASSERT_TRUE(flows.put(i * 0x1234'5678'9abc'def1, 1, 1, 100)) << i;
  EXPECT_FALSE(flows.put(42, 7, 1, 100)) << "full";
  EXPECT_TRUE(flows.put(0x1234'5678'9abc'def1, 2, 1, 100)) << "a known flow still changes";
  EXPECT_EQ(flows.size(), 10U);
}

TEST(ForeignFlows, HoldsItsWholeCapacityAtFullLoadAndOverManyReplacements) {
  std::mt19937_64 random(random_seed());
  constexpr std::size_t kCapacity = 100'000;
  ForeignFlows flows(kCapacity);
  std::vector<std::uint64_t> held(kCapacity);
  std::size_t refused = 0;
  const auto fill = [&](std::uint64_t& digest) {
    digest = random() | 1;
    if (!flows.put(digest, static_cast<BackendIndex>(digest & 0xffff), 1, 100)) ++refused;
  };
  for (auto& digest : held) fill(digest);
  for (int i = 0; i < 300'000; ++i) {
    auto& digest = held[random() % kCapacity];
    flows.erase(digest, 1);
    fill(digest);
  }
  EXPECT_LE(refused, 1U) << "a bucket without a way out is one in millions at 80 % load";
  std::size_t wrong = 0;
  for (const auto digest : held) wrong += flows.find(digest) != (digest & 0xffff) ? 1 : 0;
  EXPECT_LE(wrong, refused);
  EXPECT_EQ(flows.size(), kCapacity - wrong);
}

TEST(ForeignFlows, LeasesEndWithinASecondOfSweepsAndNotBefore) {
  ForeignFlows flows(5000);
  const Tick start = 0xffff'fff0;  // the clock wraps meanwhile
  for (std::uint64_t i = 1; i <= 5000; ++i) {
    ASSERT_TRUE(flows.put(i * 0x9e37'79b9'7f4a'7c15, 1, 1, start + (i % 2 == 0 ? 100 : 1000)));
  }
  for (int i = 0; i < 20; ++i) flows.sweep(start + 99);
  EXPECT_EQ(flows.size(), 5000U);
  for (int i = 0; i < 11; ++i) flows.sweep(start + 100);
  EXPECT_EQ(flows.size(), 2500U);
  EXPECT_EQ(flows.find(std::uint64_t{3} * 0x9e37'79b9'7f4a'7c15), 1U);
  EXPECT_EQ(flows.find(std::uint64_t{4} * 0x9e37'79b9'7f4a'7c15), kNoBackend);
}

TEST(ForeignFlows, BehavesAsAMap) {
  std::mt19937_64 random(random_seed());
  ForeignFlows flows(3000);
  std::unordered_map<std::uint64_t, std::pair<BackendIndex, std::uint8_t>> model;
  std::vector<std::uint64_t> digests(6000);
  for (auto& digest : digests) digest = random() | 1;
  for (int i = 0; i < 200'000; ++i) {
    const std::uint64_t digest = digests[random() % digests.size()];
    const auto peer = static_cast<std::uint8_t>(random() % 2);
    const auto backend = static_cast<BackendIndex>(random() % 1000);
    const auto known = model.find(digest);
    if (random() % 2 == 0) {
      if (flows.put(digest, backend, peer, 100)) {
        model[digest] = {backend, peer};
      } else {
        EXPECT_TRUE(known == model.end() && flows.size() >= flows.capacity() * 99 / 100);
      }
    } else {
      const bool expected = known != model.end() && known->second.second == peer;
      ASSERT_EQ(flows.erase(digest, peer), expected);
      if (expected) model.erase(digest);
    }
  }
  ASSERT_EQ(flows.size(), model.size());
  std::size_t listed = 0;
  flows.for_each([&](const ForeignFlow& flow) {
    ++listed;
    const auto known = model.find(flow.digest);
    ASSERT_NE(known, model.end());
    EXPECT_EQ(flow.backend, known->second.first);
    EXPECT_EQ(flow.peer, known->second.second);
    EXPECT_EQ(flows.find(flow.digest), known->second.first);
  });
  EXPECT_EQ(listed, model.size());
}

// Lasting flows share the buckets of a churn near full load, so that they are moved while they are looked up.
TEST(ForeignFlows, ReadersNeitherMissNorMistakeFlowsWhileTheWriterMovesThem) {
  std::mt19937_64 random(random_seed());
  constexpr std::size_t kCapacity = 256;
  ForeignFlows flows(kCapacity);
  std::vector<std::uint64_t> lasting(kCapacity / 2);
  for (auto& digest : lasting) {
    digest = random() | 1;
    ASSERT_TRUE(flows.put(digest, static_cast<BackendIndex>(digest >> 48), 1, 100));
  }
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> missed{0}, looked{0};
  const auto read = [&](std::size_t from) {
    for (std::size_t i = from; !stop.load(std::memory_order_relaxed); i = (i + 1) % lasting.size()) {
      if (flows.find(lasting[i]) != lasting[i] >> 48) missed.fetch_add(1);
      looked.fetch_add(1, std::memory_order_relaxed);
    }
  };
  std::thread first(read, 0), second(read, lasting.size() / 2);
  std::vector<std::uint64_t> passing(kCapacity / 2, 1);
  for (int round = 0; round < 200'000 || looked.load() < 10'000; ++round) {
    auto& digest = passing[random() % passing.size()];
    flows.erase(digest, 1);
    digest = random() | 1;
    flows.put(digest, static_cast<BackendIndex>(digest >> 48), 1, 100);
    const auto at = random() % lasting.size();
    flows.put(lasting[at], static_cast<BackendIndex>(lasting[at] >> 48), 1,
              static_cast<Tick>(round));  // a renewed lease
  }
  stop = true;
  first.join();
  second.join();
  EXPECT_EQ(missed.load(), 0U) << "of " << looked.load();
}

}  // namespace
}  // namespace penstock
