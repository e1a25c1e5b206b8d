// What another thread sees while the owner works. Runs under TSan in the tsan preset.
#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>

#include "dataplane/flow/flow_table.h"
#include "tests/unit/dataplane/flow/table_memory.h"

namespace penstock {
namespace {

using enum PacketKind;

TEST(FlowTableDump, ListsEachFlowOnceWithItsNameBackendAndState) {
  std::mt19937_64 random(random_seed());
  for (const std::size_t buckets : {2UL, 100UL, 70'000UL}) {
    OwnTable<FlowTable> t(buckets);
    const auto digests = random_digests(std::min<std::size_t>(t->slot_count() / 2, 20'000), random);
    std::set<std::uint64_t> expected;
    for (const auto d : digests) {
      t->insert(d, static_cast<BackendIndex>(d % 1000), kUdp, kIdle);
      expected.insert(t->flow_name(d));
      if (buckets > 65'536) {
        ASSERT_EQ(t->flow_name(d), d) << "big tables can name the digest itself";
      }
      ASSERT_EQ(t->flow_name(t->flow_name(d)), t->flow_name(d));
    }
    ASSERT_EQ(t->stats().evicted, 0U);
    std::set<std::uint64_t> listed;
    for (const FlowRecord& r : dump(t.table)) {
      EXPECT_TRUE(listed.insert(r.name).second);
      EXPECT_EQ(r.state, FlowState::kUdpSingle);
      EXPECT_EQ(r.remaining, kIdle.of(IdleClass::kUdp));
    }
    EXPECT_EQ(listed, expected) << buckets << " buckets";
  }
}

TEST(FlowTableDump, AnotherThreadReadsSaneEntriesWhileTheOwnerWorks) {
  const std::uint64_t seed = random_seed();
  OwnTable<FlowTable> t(200);
  constexpr BackendIndex kFirst = 5000;
  constexpr BackendIndex kLast = 5999;
  std::atomic<bool> stop{false};
  std::atomic<std::size_t> dumps{0};
  std::size_t strange = 0;
  std::thread reader([&] {
    while (!stop.load()) {
      for (const FlowRecord& r : dump(t.table)) {
        if (r.backend < kFirst || r.backend > kLast || r.state == FlowState::kFree ||
            r.remaining > kMaxIdleTicks) {
          ++strange;
        }
      }
      if (t->stats().size > t->slot_count()) ++strange;
      dumps.fetch_add(1);
    }
  });
  std::mt19937_64 random(seed);
  const auto digests = random_digests(1500, random);
  std::size_t operations = 0;
  while (dumps.load() < 200 || operations < 200'000) {
    const auto d = digests[random() % digests.size()];
    const auto kind = static_cast<PacketKind>(random() % 4);
    if (t->find_and_refresh(d, kind, kIdle) == kNoBackend) {
      t->insert(d, kFirst + static_cast<BackendIndex>(random() % 1000), kind, kIdle);
    }
    if (random() % 8 == 0) t->erase(digests[random() % digests.size()]);
    if (++operations % 100 == 0) t->advance(t->now() + 1);
  }
  stop.store(true);
  reader.join();
  EXPECT_EQ(strange, 0U);
}

}  // namespace
}  // namespace penstock
