#include <gtest/gtest.h>

#include <thread>

#include "dataplane/stats/lcore_counters.h"

namespace penstock {
namespace {

TEST(LcoreCounters, ReaderSeesEachCounterGrowWhileTheWorkerWrites) {
  LcoreCounters counters(1, 1);
  constexpr std::uint64_t kPackets = 2'000'000;
  std::jthread worker([&] {
    for (std::uint64_t i = 0; i < kPackets; ++i) counters.outcomes[0].add(1);
  });
  std::uint64_t last = 0;
  while (last < kPackets) {
    const std::uint64_t now = counters.outcomes[0].read();
    ASSERT_GE(now, last);
    last = now;
  }
}

TEST(LcoreCounters, NewOwnerOfAnIndexStartsAtZeroAndItsNeighboursAreUntouched) {
  LcoreCounters counters(3, 3);
  for (std::size_t i = 0; i < 3; ++i) {
    for (Counter& c : counters.service(i).outcomes) c.add(7);
    counters.backend(i).packets.add(7);
    counters.backend(i).bytes.add(7);
    counters.backend(i).new_flows.add(7);
  }
  counters.begin_service(1);
  counters.begin_backend(1);
  for (std::size_t i = 0; i < 3; ++i) {
    const std::uint64_t expected = i == 1 ? 0 : 7;
    for (const Counter& c : counters.service(i).outcomes) EXPECT_EQ(c.read(), expected);
    EXPECT_EQ(counters.backend(i).packets.read(), expected);
    EXPECT_EQ(counters.backend(i).bytes.read(), expected);
    EXPECT_EQ(counters.backend(i).new_flows.read(), expected);
  }
}

}  // namespace
}  // namespace penstock
