// The engine on memory-backed ports. EAL can be initialised once in a process, so each case forks.
#include "dataplane/dpdk/engine.h"

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <functional>
#include <thread>

namespace penstock {
namespace {

EngineSettings small(std::vector<std::string> ports) {
  EngineSettings settings;
  settings.ports = std::move(ports);
  settings.no_huge = true;
  settings.flows_per_lcore = 10'000;
  settings.idle = {IdleMode::kSleep, 50};
  return settings;
}

bool eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

std::uint64_t sum(const LcoreCounters& counters) {
  std::uint64_t total = 0;
  for (const Counter& counter : counters.outcomes) total += counter.read();
  return total;
}

/// Runs in a child process; its exit code tells, since EAL is once per process.
int two_workers_poll_two_ports() {
  EngineSettings settings = small({"net_null0,size=64", "net_null1,size=64"});
  settings.cpus = {0, 1};
  auto opened = Engine::open(settings);
  if (!opened) return 1;
  Engine& engine = **opened;
  if (engine.ports().size() != 2 || engine.counters().size() != 2) return 2;
  Publisher publisher(engine.quiescence(), engine.counters());
  engine.run(publisher);
  for (const LcoreCounters* counters : engine.counters()) {
    if (!eventually([&] { return sum(*counters) > 1000; })) return 3;
  }
  if (!eventually([&] { return engine.oldest_progress() < Nanoseconds::from_millis(50); })) return 4;
  // Both workers must pass a quiescent state for this to return.
  publisher.publish(std::make_unique<const Snapshot>());
  engine.stop();
  for (const LcoreCounters* counters : engine.counters()) {
    if (counters->received.read() != sum(*counters)) return 5;
    if (counters->busy_cycles.read() == 0) return 6;
    std::uint64_t packets = 0;
    for (std::size_t n = 0; n < kBurstSizes; ++n) packets += n * counters->burst_sizes[n].read();
    if (packets != counters->received.read()) return 7;
  }
  return 0;
}

int idle_workers_count_their_idleness() {
  auto opened = Engine::open(small({"net_null0,no-rx=1"}));
  if (!opened) return 1;
  Engine& engine = **opened;
  Publisher publisher(engine.quiescence(), engine.counters());
  engine.run(publisher);
  const LcoreCounters& counters = *engine.counters()[0];
  if (!eventually([&] { return counters.burst_sizes[0].read() > 200; })) return 2;
  publisher.publish(std::make_unique<const Snapshot>());
  engine.stop();
  if (counters.received.read() != 0 || counters.busy_cycles.read() != 0) return 3;
  return counters.idle_cycles.read() > 0 ? 0 : 4;
}

class EngineTest : public ::testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(EngineTest, TwoWorkersPollTwoPortsAndCountEveryPacketOnce) {
  if (std::thread::hardware_concurrency() < 2) GTEST_SKIP() << "needs two CPUs";
  EXPECT_EXIT(_exit(two_workers_poll_two_ports()), ::testing::ExitedWithCode(0), "");
}

TEST_F(EngineTest, IdleWorkersCountTheirIdlenessAndHoldUpNoSnapshot) {
  EXPECT_EXIT(_exit(idle_workers_count_their_idleness()), ::testing::ExitedWithCode(0), "");
}

TEST_F(EngineTest, NoPortIsRefused) {
  const auto refused = Engine::open(small({}));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().field, "port");
}

}  // namespace
}  // namespace penstock
