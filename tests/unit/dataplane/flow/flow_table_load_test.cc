// What the table promises when it is full, and under floods.
#include <gtest/gtest.h>

#include <iostream>

#include "dataplane/flow/flow_table.h"
#include "tests/unit/dataplane/flow/table_memory.h"

namespace penstock {
namespace {

using enum PacketKind;

BackendIndex backend_of(std::uint64_t digest) { return static_cast<BackendIndex>(digest % 1000); }

template <class Table>
std::size_t lost(Table& table, std::span<const std::uint64_t> digests) {
  std::size_t n = 0;
  for (const auto d : digests) n += table.find_and_refresh(d, kAck, kIdle) != backend_of(d) ? 1 : 0;
  return n;
}

TEST(FlowTableLoad, Takes95PercentOfConfirmedFlowsWithoutLosingOne) {
  std::mt19937_64 random(random_seed());
  OwnTable<FlowTable> t(100'000);
  const auto digests = random_digests(t->slot_count() * 95 / 100, random);
  for (const auto d : digests) ASSERT_TRUE(establish(t.table, d, backend_of(d)));
  EXPECT_EQ(lost(t.table, digests), 0U);
  const FlowTableStats s = t->stats();
  EXPECT_EQ(s.full + s.evicted, 0U);
  EXPECT_EQ(s.size, digests.size());
  EXPECT_EQ(s.confirmed, digests.size());
  std::cout << "moves per flow " << static_cast<double>(s.moved) / static_cast<double>(s.inserted) << "\n";
}

TEST(FlowTableLoad, ThousandsOfSmallTablesTake85Percent) {
  std::mt19937_64 random(random_seed());
  std::size_t refused = 0;
  std::size_t entered = 0;
  for (int round = 0; round < 300; ++round) {
    OwnTable<FlowTable> t(200);
    const auto digests = random_digests(t->capacity(), random);
    for (const auto d : digests) refused += establish(t.table, d, backend_of(d)) ? 0 : 1;
    entered += digests.size();
  }
  EXPECT_EQ(refused, 0U) << "of " << entered;
}

TEST(FlowTableLoad, AFullTableSaysSoAndKeepsEveryConfirmedFlow) {
  std::mt19937_64 random(random_seed());
  OwnTable<FlowTable> t(2000);
  std::vector<std::uint64_t> kept;
  std::size_t full = 0;
  for (const auto d : random_digests(t->slot_count() * 2, random)) {
    const InsertResult r = t->insert(d, backend_of(d), kSyn, kIdle);
    ASSERT_NE(r, InsertResult::kReplaced);
    full += r == InsertResult::kFull ? 1 : 0;
    const bool known = t->find_and_refresh(d, kAck, kIdle) == backend_of(d);
    ASSERT_EQ(known, r != InsertResult::kFull);
    if (known) kept.push_back(d);
  }
  EXPECT_EQ(lost(t.table, kept), 0U);
  EXPECT_EQ(t->stats().full, full);
  EXPECT_EQ(t->stats().evicted, 0U);
  EXPECT_GE(kept.size(), t->slot_count() * 97 / 100);
}

struct Flood {
  const char* what;
  PacketKind kind;
};

class FlowTableFlood : public testing::TestWithParam<Flood> {};
INSTANTIATE_TEST_SUITE_P(Kinds, FlowTableFlood,
                         testing::Values(Flood{"Syn", kSyn}, Flood{"Ack", kAck}, Flood{"Udp", kUdp},
                                         Flood{"Rst", kRst}),
                         [](const auto& i) { return i.param.what; });

TEST_P(FlowTableFlood, TenTimesTheCapacityMovesOrLosesNoEstablishedFlow) {
  std::mt19937_64 random(random_seed());
  const TableMemory memory(FlowTable::required_bytes(120'000));
  FlowTable t = OwnTable<FlowTable>::make(memory, 1000);
  const auto established = random_digests(100'000, random);
  for (const auto d : established) ASSERT_TRUE(establish(t, d, backend_of(d)));
  for (std::size_t i = 0; i < 10 * t.capacity(); ++i) t.insert(random(), 77, GetParam().kind, kIdle);
  EXPECT_EQ(t.stats().confirmed, established.size());
  EXPECT_EQ(lost(t, established), 0U);
  EXPECT_EQ(t.stats().full, 0U) << "newcomers push out newcomers";
}

TEST(FlowTableFloodLegitimate, HandshakesCompleteWhileTheFloodRuns) {
  std::mt19937_64 random(random_seed());
  const TableMemory memory(FlowTable::required_bytes(20'000));
  FlowTable t = OwnTable<FlowTable>::make(memory, 1000);
  for (const auto d : random_digests(15'000, random)) ASSERT_TRUE(establish(t, d, backend_of(d)));
  for (std::size_t i = 0; i < 5 * t.capacity(); ++i) t.insert(random(), 77, kSyn, kIdle);
  // The probation space is some 8,500 slots; 400 forged SYNs between a SYN and its ACK are 5 % of it.
  std::size_t completed = 0;
  constexpr std::size_t kHandshakes = 1000;
  for (std::size_t i = 0; i < kHandshakes; ++i) {
    const std::uint64_t d = random();
    t.insert(d, backend_of(d), kSyn, kIdle);
    for (int forged = 0; forged < 400; ++forged) t.insert(random(), 77, kSyn, kIdle);
    completed += t.find_and_refresh(d, kAck, kIdle) == backend_of(d) ? 1 : 0;
  }
  EXPECT_GE(completed, kHandshakes * 85 / 100);
}

TEST(FlowTableFloodLegitimate, AnEndedFloodLeavesNothingBehind) {
  std::mt19937_64 random(random_seed());
  OwnTable<FlowTable> t(5000);
  for (std::size_t i = 0; i < 5 * t->slot_count(); ++i) t->insert(random(), 77, kSyn, kIdle);
  EXPECT_GE(t->stats().size, t->slot_count() * 9 / 10);
  // One call per tick, as an idle worker makes, for the SYN timeout and two rounds of the sweep.
  for (Tick i = 0; i < kIdle.of(IdleClass::kSyn) + 1024; ++i) t->advance(t->now() + 1);
  EXPECT_EQ(t->stats().size, 0U);
  for (std::uint32_t i = 0; i < 5000; ++i) {
    const auto* b = reinterpret_cast<const FlowBucket*>(t.memory.span().data() + kHeaderBytes) + i;
    ASSERT_EQ(b->displaced, 0U) << "bucket " << i;
  }
}

}  // namespace
}  // namespace penstock
