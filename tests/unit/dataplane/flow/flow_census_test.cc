#include "dataplane/flow/flow_census.h"

#include <gtest/gtest.h>

#include "tests/unit/dataplane/flow/table_memory.h"

namespace penstock {
namespace {

TEST(FlowCensus, TellsTheLastWholeCountOnly) {
  FlowCensus census(4);
  census.count(BackendIndex{1});
  census.count(BackendIndex{1});
  census.count(BackendIndex{3});
  census.count(BackendIndex{4});  // beyond
  EXPECT_EQ(census.flows(1), 0U) << "not whole yet";
  census.publish();
  EXPECT_EQ(census.flows(1), 2U);
  EXPECT_EQ(census.flows(3), 1U);
  EXPECT_EQ(census.flows(4), 0U);
  census.publish();
  EXPECT_EQ(census.flows(1), 0U);
  EXPECT_EQ(census.rounds(), 2U);
}

TEST(FlowCensus, CountsTheLivingEntriesOfATable) {
  const auto memory = TableMemory::for_buckets(1000);
  auto table = FlowTable::create(memory.span(), kFingerprint, 1);
  ASSERT_TRUE(table.ok());
  const IdleTicks idle = IdleTicks::from_seconds(5, 5, 5, 5);
  std::mt19937_64 random(random_seed());
  for (int i = 0; i < 900; ++i)
    table->insert(random(), static_cast<BackendIndex>(i % 3), PacketKind::kSyn, idle);
  FlowCensus census(10);
  census.count(*table);
  census.publish();
  for (BackendIndex b = 0; b < 3; ++b) EXPECT_EQ(census.flows(b), 300U);
}

}  // namespace
}  // namespace penstock
