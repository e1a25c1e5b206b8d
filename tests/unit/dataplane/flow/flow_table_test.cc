// What one flow may expect of the table. Every case runs on the SIMD table and on its portable twin.
#include "dataplane/flow/flow_table.h"

#include <gtest/gtest.h>

#include "tests/unit/dataplane/flow/table_memory.h"

namespace penstock {
namespace {

using enum PacketKind;

template <class Table>
class FlowTableTest : public testing::Test {
 protected:
  OwnTable<Table> table_{64};
};
using BothTables = testing::Types<FlowTable, PortableFlowTable>;
class TwinName {
 public:
  template <class T>
  static std::string GetName(int) {
    return std::is_same_v<T, FlowTable> ? "Simd" : "Portable";
  }
};
TYPED_TEST_SUITE(FlowTableTest, BothTables, TwinName);

TYPED_TEST(FlowTableTest, KnowsOnlyWhatWasInserted) {
  auto& t = this->table_.table;
  EXPECT_EQ(t.find_and_refresh(1, kSyn, kIdle), kNoBackend);
  EXPECT_EQ(t.insert(1, 42, kSyn, kIdle), InsertResult::kInserted);
  EXPECT_EQ(t.find_and_refresh(1, kAck, kIdle), 42U);
  EXPECT_EQ(t.find_and_refresh(2, kAck, kIdle), kNoBackend);
  EXPECT_EQ(t.find_and_refresh(std::uint64_t{1} << 32 | 1, kAck, kIdle), kNoBackend)
      << "differs in the word's tag";
  EXPECT_EQ(t.find_and_refresh(std::uint64_t{1} << 63 | 1, kAck, kIdle), kNoBackend)
      << "differs in the bucket";
}

TYPED_TEST(FlowTableTest, EmptyTableDoesNotKnowDigestZero) {
  EXPECT_EQ(this->table_->find_and_refresh(0, kAck, kIdle), kNoBackend);
  EXPECT_FALSE(this->table_->erase(0));
}

TYPED_TEST(FlowTableTest, KeepsBackendIndexesOfAll24Bits) {
  auto& t = this->table_.table;
  t.insert(7, kNoBackend - 1, kSyn, kIdle);
  t.insert(8, 0, kSyn, kIdle);
  EXPECT_EQ(t.find_and_refresh(7, kAck, kIdle), kNoBackend - 1);
  EXPECT_EQ(t.find_and_refresh(8, kAck, kIdle), 0U);
}

TYPED_TEST(FlowTableTest, InsertReplacesThePresentFlow) {
  auto& t = this->table_.table;
  ASSERT_TRUE(establish(t, 9, 1));
  EXPECT_EQ(t.stats().confirmed, 1U);
  EXPECT_EQ(t.insert(9, 2, kAck, kIdle), InsertResult::kReplaced);
  EXPECT_EQ(t.stats().confirmed, 0U) << "its state begins anew";
  EXPECT_EQ(t.find_and_refresh(9, kAck, kIdle), 2U);
  EXPECT_EQ(t.stats().size, 1U);
}

TYPED_TEST(FlowTableTest, EraseForgets) {
  auto& t = this->table_.table;
  ASSERT_TRUE(establish(t, 9, 1));
  EXPECT_TRUE(t.erase(9));
  EXPECT_FALSE(t.erase(9));
  EXPECT_EQ(t.find_and_refresh(9, kAck, kIdle), kNoBackend);
  EXPECT_EQ(t.stats().size, 0U);
  EXPECT_EQ(t.stats().confirmed, 0U);
}

TYPED_TEST(FlowTableTest, FinOrRstOfAnUnknownFlowIsNotEntered) {
  EXPECT_EQ(this->table_->insert(9, 1, kFin, kIdle), InsertResult::kIgnored);
  EXPECT_EQ(this->table_->insert(9, 1, kRst, kIdle), InsertResult::kIgnored);
  EXPECT_EQ(this->table_->stats().size, 0U);
}

TYPED_TEST(FlowTableTest, SynOnAClosingFlowIsAMissAndInsertGivesItTheNewBackend) {
  auto& t = this->table_.table;
  ASSERT_TRUE(establish(t, 9, 1));
  EXPECT_EQ(t.find_and_refresh(9, kFin, kIdle), 1U);
  EXPECT_EQ(t.find_and_refresh(9, kAck, kIdle), 1U) << "the half-open rest still goes to its backend";
  EXPECT_EQ(t.find_and_refresh(9, kSyn, kIdle), kNoBackend);
  EXPECT_EQ(t.insert(9, 2, kSyn, kIdle), InsertResult::kReplaced);
  EXPECT_EQ(t.find_and_refresh(9, kAck, kIdle), 2U);
}

TYPED_TEST(FlowTableTest, EstablishedFlowKeepsItsBackendWhenForgedSynsArrive) {
  auto& t = this->table_.table;
  ASSERT_TRUE(establish(t, 9, 1));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(t.find_and_refresh(9, kSyn, kIdle), 1U);
}

struct Silence {
  const char* what;
  std::vector<PacketKind> packets;
  std::uint64_t seconds;  // configured for the state that the packets lead to
};

TYPED_TEST(FlowTableTest, ASilentFlowIsKeptForItsStatesTimeoutAndNotMuchLonger) {
  const std::vector<Silence> cases = {
      {"lone SYN", {kSyn}, 10},          {"established", {kSyn, kAck}, 900},
      {"picked up", {kAck}, 900},        {"closing", {kSyn, kAck, kFin}, 30},
      {"reset", {kSyn, kAck, kRst}, 10}, {"UDP", {kUdp, kUdp}, 60},
  };
  for (const Silence& c : cases) {
    for (const bool long_enough : {false, true}) {
      OwnTable<TypeParam> t(64, 0xffff'ff00);
      t->insert(5, 3, c.packets.front(), kIdle);
      for (std::size_t i = 1; i < c.packets.size(); ++i) t->find_and_refresh(5, c.packets[i], kIdle);
      const Tick silent = long_enough ? ticks_in(c.seconds * 16 / 15 + 2) + 4 : ticks_in(c.seconds);
      t->advance(0xffff'ff00 + silent);
      EXPECT_EQ(t->find_and_refresh(5, kAck, kIdle), long_enough ? kNoBackend : 3U) << c.what;
    }
  }
}

TYPED_TEST(FlowTableTest, TimeoutsAreThoseOfThePacketsService) {
  const IdleTicks brief = IdleTicks::from_seconds(1, 2, 1, 1);
  auto& t = this->table_.table;
  ASSERT_TRUE(establish(t, 1, 10, brief));
  ASSERT_TRUE(establish(t, 2, 20, kIdle));
  t.advance(t.now() + ticks_in(5));
  EXPECT_EQ(t.find_and_refresh(1, kAck, brief), kNoBackend);
  EXPECT_EQ(t.find_and_refresh(2, kAck, kIdle), 20U);
}

TYPED_TEST(FlowTableTest, AShortenedTimeoutHoldsFromTheNextPacketOn) {
  const IdleTicks brief = IdleTicks::from_seconds(1, 2, 1, 1);
  auto& t = this->table_.table;
  ASSERT_TRUE(establish(t, 1, 10, kIdle));
  EXPECT_EQ(t.find_and_refresh(1, kAck, brief), 10U);
  t.advance(t.now() + ticks_in(5));
  EXPECT_EQ(t.find_and_refresh(1, kAck, brief), kNoBackend);
}

TYPED_TEST(FlowTableTest, ABusyFlowNeverExpires) {
  auto& t = this->table_.table;
  ASSERT_TRUE(establish(t, 1, 10));
  for (int i = 0; i < 20'000; ++i) {
    t.advance(t.now() + ticks_in(899));
    ASSERT_EQ(t.find_and_refresh(1, kAck, kIdle), 10U) << "packet " << i;
  }
}

TYPED_TEST(FlowTableTest, TimeNeverRunsBackwards) {
  auto& t = this->table_.table;
  t.advance(2000);
  t.advance(1500);
  EXPECT_EQ(t.now(), 2000U);
}

TYPED_TEST(FlowTableTest, BulkAnswersAsSingleLookupsDo) {
  const std::uint64_t seed = random_seed();
  std::mt19937_64 random(seed);
  OwnTable<TypeParam> bulk(64);
  OwnTable<TypeParam> single(64);
  const auto digests = random_digests(330, random);
  for (std::size_t i = 0; i < 300; ++i) {
    ASSERT_EQ(bulk->insert(digests[i], static_cast<BackendIndex>(i), kSyn, kIdle),
              single->insert(digests[i], static_cast<BackendIndex>(i), kSyn, kIdle));
  }
  std::vector<FlowLookup> burst;
  for (const auto d : digests) burst.push_back({d, &kIdle, static_cast<PacketKind>(random() % 4), 7});
  bulk->find_bulk(burst);
  std::size_t hits = 0;
  for (const FlowLookup& q : burst) {
    ASSERT_EQ(q.backend, single->find_and_refresh(q.digest, q.kind, kIdle));
    hits += q.backend != kNoBackend ? 1 : 0;
  }
  EXPECT_GE(hits, 280U);
  EXPECT_TRUE(bulk.memory.same_bytes_as(single.memory)) << "states and expiries differ";
  bulk->find_bulk({});
}

TEST(FlowTableCreate, RefusesMemoryThatDoesNotFit) {
  TableMemory memory(FlowTable::required_bytes(1) + 64);
  const auto refusal = [](auto&& result) { return result ? std::string() : result.error().text(); };
  EXPECT_NE(refusal(FlowTable::create(memory.span().subspan(8), 1, 0)).find("aligned to 64"),
            std::string::npos);
  EXPECT_NE(refusal(FlowTable::create(memory.span().first(4096), 1, 0)).find("the smallest flow table needs"),
            std::string::npos);
  EXPECT_NE(refusal(FlowTable::create({}, 1, 0)).find("memory: has 0 bytes"), std::string::npos);
  EXPECT_EQ(refusal(FlowTable::create(memory.span(), 1, 0)), "");
}

TEST(FlowTableCreate, RequiredBytesHoldTheCapacity) {
  for (const std::size_t flows : {1UL, 2UL, 5UL, 16UL, 17UL, 1000UL, 16'384UL, 100'000UL}) {
    const TableMemory memory(FlowTable::required_bytes(flows));
    const auto table = FlowTable::create(memory.span(), 1, 0);
    ASSERT_TRUE(table.ok());
    EXPECT_GE((*table).capacity(), flows);
  }
  EXPECT_LE(static_cast<double>(FlowTable::required_bytes(10'000'000)) / 10'000'000, 16.0);
  EXPECT_LE(FlowTable::required_bytes(10'000'000), 192UL << 20);
}

}  // namespace
}  // namespace penstock
