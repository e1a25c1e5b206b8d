// A table outlives the process that filled it.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <set>

#include "dataplane/flow/flow_table.h"
#include "tests/unit/dataplane/flow/table_memory.h"

namespace penstock {
namespace {

using enum PacketKind;

class FlowTableRestart : public testing::Test {
 protected:
  FlowTableRestart() {
    FlowTable t = OwnTable<FlowTable>::make(memory_, 5000);
    std::mt19937_64 random(random_seed());
    digests_ = random_digests(t.slot_count() * 9 / 10, random);
    for (const auto d : digests_) establish(t, d, static_cast<BackendIndex>(d % 99));
  }
  std::string refusal(std::uint64_t fingerprint, Tick now) {
    return refusal(memory_.span(), fingerprint, now);
  }
  static std::string refusal(std::span<std::byte> memory, std::uint64_t fingerprint, Tick now) {
    const std::vector<std::byte> before(memory.begin(), memory.end());
    auto attached = FlowTable::attach(memory, fingerprint, now);
    EXPECT_TRUE(std::equal(before.begin(), before.end(), memory.begin())) << "a refusal changed the memory";
    return attached ? "" : attached.error().text();
  }

  TableMemory memory_ = TableMemory::for_buckets(1000);
  std::vector<std::uint64_t> digests_;
};

TEST_F(FlowTableRestart, EveryFlowIsFoundAgain) {
  auto t = FlowTable::attach(memory_.span(), kFingerprint, 5010);
  ASSERT_TRUE(t.ok()) << t.error().text();
  for (const auto d : digests_) ASSERT_EQ((*t).find_and_refresh(d, kAck, kIdle), d % 99);
  EXPECT_EQ((*t).stats().size, digests_.size());
  EXPECT_EQ((*t).stats().confirmed, digests_.size());
  for (const auto d : digests_) ASSERT_TRUE((*t).erase(d));
  EXPECT_EQ((*t).stats().size, 0U);
}

TEST_F(FlowTableRestart, ThePortableTwinTakesOverFromTheSimdTable) {
  auto t = PortableFlowTable::attach(memory_.span(), kFingerprint, 5010);
  ASSERT_TRUE(t.ok());
  for (const auto d : digests_) ASSERT_EQ((*t).find_and_refresh(d, kAck, kIdle), d % 99);
}

TEST_F(FlowTableRestart, WhatExpiredMeanwhileIsGoneHoweverLongItTook) {
  for (const Tick away : {ticks_in(900 * 16 / 15 + 5), Tick{1} << 20, (Tick{1} << 20) - 100, Tick{1} << 30}) {
    TableMemory copy = TableMemory::for_buckets(1000);
    std::memcpy(copy.span().data(), memory_.span().data(), copy.span().size());
    auto t = FlowTable::attach(copy.span(), kFingerprint, 5000 + away);
    ASSERT_TRUE(t.ok());
    EXPECT_EQ((*t).stats().size, 0U) << away;
    EXPECT_TRUE(dump(*t).empty()) << away;
  }
}

TEST_F(FlowTableRestart, RefusesWhatItCannotTrust) {
  EXPECT_NE(refusal(kFingerprint + 1, 5010).find("another hash key"), std::string::npos);
  EXPECT_NE(refusal(kFingerprint, 4999).find("clock is ahead"), std::string::npos);
  EXPECT_NE(
      refusal(memory_.span().first(memory_.span().size() - 64), kFingerprint, 5010).find("1000 buckets"),
      std::string::npos);
  const TableMemory junk = TableMemory::for_buckets(1000);
  EXPECT_NE(refusal(junk.span(), kFingerprint, 5010).find("the memory holds none"), std::string::npos);
  auto* header = reinterpret_cast<FlowTableHeader*>(memory_.span().data());
  header->layout_version = 999;
  EXPECT_NE(refusal(kFingerprint, 5010).find("layout version 999"), std::string::npos);
}

TEST_F(FlowTableRestart, CreateForgetsWhatWasThere) {
  FlowTable t = OwnTable<FlowTable>::make(memory_, 5000);
  EXPECT_TRUE(dump(t).empty());
  EXPECT_EQ(t.stats().inserted, 0U);
}

/// Shared with the child that is killed.
struct Journal {
  std::atomic<std::uint64_t> established;
};

constexpr BackendIndex backend_of(std::uint64_t digest) { return static_cast<BackendIndex>(digest % 4099); }

[[noreturn]] void fill_until_killed(std::span<std::byte> memory, std::span<const std::uint64_t> digests,
                                    Journal& journal) {
  auto table = FlowTable::create(memory, kFingerprint, 5000);
  if (!table) _exit(1);
  // Round after round, so that entries are moved, erased and entered again all the time.
  for (;;) {
    for (std::size_t i = 0; i < digests.size(); ++i) {
      journal.established.store(i);
      establish(*table, digests[i], backend_of(digests[i]));
    }
    journal.established.store(digests.size());
    for (std::size_t i = digests.size(); i-- > 0;) {
      journal.established.store(i);
      (*table).erase(digests[i]);
    }
  }
}

TEST(FlowTableKill, AProcessKilledAnywhereLeavesATableThatCanBeTakenOver) {
  std::mt19937_64 random(random_seed());
  constexpr std::size_t kBuckets = 400;
  const std::size_t bytes = kHeaderBytes + kBuckets * sizeof(FlowBucket);
  constexpr std::size_t kJournalBytes = 4096;
  void* shared =
      mmap(nullptr, kJournalBytes + bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(shared, MAP_FAILED);
  auto* journal = new (shared) Journal{};
  const std::span<std::byte> memory(static_cast<std::byte*>(shared) + kJournalBytes, bytes);
  const auto digests = random_digests(kBuckets * kSlotsPerBucket * 96 / 100, random);
  for (int round = 0; round < 200; ++round) {
    journal->established.store(0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) fill_until_killed(memory, digests, *journal);
    while (journal->established.load() < digests.size() / 2) sched_yield();
    usleep(static_cast<useconds_t>(random() % 1000));  // where it is killed is meant to be luck
    kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));

    auto table = FlowTable::attach(memory, kFingerprint, 5001);
    ASSERT_TRUE(table.ok()) << table.error().text();
    const std::size_t sure = journal->established.load();
    for (std::size_t i = 0; i < sure; ++i) {
      ASSERT_EQ((*table).find_and_refresh(digests[i], kAck, kIdle), backend_of(digests[i])) << "flow " << i;
    }
    const auto records = dump(*table);
    std::set<std::uint64_t> names;
    for (const FlowRecord& r : records) ASSERT_TRUE(names.insert(r.name).second) << "an entry is there twice";
    ASSERT_EQ((*table).stats().size, records.size());
    ASSERT_LE(records.size(), sure + 1);
    for (const auto d : digests) (*table).erase(d);
    ASSERT_TRUE(dump(*table).empty());
  }
  munmap(shared, kJournalBytes + bytes);
}

}  // namespace
}  // namespace penstock
