// What the sensors make of the kernel's texts, good and bad. The good ones were captured from real machines.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "bpf/agent/sensors/cgroups.h"
#include "bpf/agent/sensors/cpu.h"
#include "bpf/agent/sensors/disks.h"
#include "bpf/agent/sensors/memory.h"
#include "bpf/agent/sensors/nics.h"
#include "bpf/agent/sensors/parse.h"
#include "bpf/agent/sensors/power.h"
#include "bpf/agent/sensors/pressure.h"
#include "bpf/agent/sensors/rate.h"

namespace penstock {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kStat =
    "cpu  2008233 66805 375368 441376 1300 0 35431 3948 0 0\n"
    "cpu0 1004644 32718 185737 222350 820 0 17812 1975 0 0\n"
    "cpu1 1003588 34087 189630 219026 479 0 17618 1972 0 0\n"
    "intr 60000000 0 9 0 0\nctxt 1\nbtime 1764286000\nprocesses 71234\nprocs_running 13\nprocs_blocked 0\n";

TEST(Stat, SumsAllColumnsAndCountsWaitingForDisksAsIdle) {
  const auto times = parse_stat(kStat);
  ASSERT_TRUE(times) << times.error().text();
  EXPECT_EQ(times->total, 2008233u + 66805 + 375368 + 441376 + 1300 + 35431 + 3948);
  EXPECT_EQ(times->idle, 441376u + 1300);
  EXPECT_EQ(times->cpus, 2u);
  EXPECT_EQ(times->runnable, 13u);
}

TEST(Stat, RefusesWhatItDoesNotUnderstand) {
  struct Case {
    const char* what;
    const char* text;
  };
  const Case cases[] = {
      {"nothing", ""},
      {"no sum", "cpu0 1 2 3 4\nprocs_running 1\n"},
      {"no numbers", "cpu  a b c d\ncpu0 1\nprocs_running 1\n"},
      {"too few columns", "cpu  1 2 3\ncpu0 1 2 3\nprocs_running 1\n"},
      {"negative", "cpu  -1 2 3 4\ncpu0 1 2 3 4\nprocs_running 1\n"},
      {"no CPU of its own", "cpu  1 2 3 4\nprocs_running 1\n"},
      {"no running", "cpu  1 2 3 4\ncpu0 1 2 3 4\n"},
      {"running what", "cpu  1 2 3 4\ncpu0 1 2 3 4\nprocs_running many\n"},
      {"beyond 64 bits", "cpu  99999999999999999999 2 3 4\ncpu0 1\nprocs_running 1\n"},
  };
  for (const Case& c : cases) EXPECT_FALSE(parse_stat(c.text)) << c.what;
}

TEST(MemInfo, CountsWhatIsNotAvailableAsUsed) {
  const auto used = parse_meminfo(
      "MemTotal:       16384000 kB\nMemFree:         1000000 kB\nMemAvailable:    4096000 kB\nBuffers: 1 "
      "kB\n");
  ASSERT_TRUE(used);
  EXPECT_DOUBLE_EQ(*used, 0.75);
  EXPECT_DOUBLE_EQ(*parse_meminfo("MemTotal: 10 kB\nMemAvailable: 12 kB\n"), 0) << "more than there is";
}

TEST(MemInfo, RefusesWhatItDoesNotUnderstand) {
  for (const char* text : {"", "MemTotal: 10 kB\n", "MemTotal: 0 kB\nMemAvailable: 0 kB\n",
                           "MemTotal: x kB\nMemAvailable: 1 kB\n", "MemAvailable: 1 kB\n"})
    EXPECT_FALSE(parse_meminfo(text)) << text;
}

TEST(Pressure, ReadsTheTotalOfSome) {
  const auto total = parse_pressure(
      "some avg10=52.65 avg60=14.03 avg300=6.75 total=8105239367\n"
      "full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n");
  ASSERT_TRUE(total);
  EXPECT_EQ(*total, 8105239367u);
  for (const char* text :
       {"", "full avg10=0.00 total=7\n", "some avg10=0.00\n", "some total=\n", "some total=x\n"})
    EXPECT_FALSE(parse_pressure(text)) << text;
}

TEST(DiskStats, TellsOperationsAndBusyTimeOfEveryDevice) {
  std::vector<std::string> seen;
  const auto each = [&](std::string_view name, const DiskCounters& c) {
    seen.push_back(std::string(name) + " " + std::to_string(c.operations) + " " + std::to_string(c.busy_ms));
  };
  // Twenty columns of Linux 5.5, fourteen of an older one.
  ASSERT_TRUE(parse_diskstats(
      " 254       0 vda 38149 7777 3712442 13396 560991 145776 80774136 366489 3 77816 409340 1 2 3 4 5 6\n"
      "   8       1 sda1 10 0 80 5 20 0 160 9 0 7 14\n",
      each));
  EXPECT_THAT(seen, ElementsAre("vda 599140 77816", "sda1 30 7"));
  EXPECT_FALSE(parse_diskstats("   8       1 sda1 10 0 80 5\n", each)) << "Linux 2.6's partitions";
  EXPECT_FALSE(parse_diskstats("   8       1 sda1 10 0 80 5 20 0 160 9 0 x 14\n", each));
}

TEST(NetDev, TellsBytesEachWay) {
  std::vector<std::string> seen;
  const auto each = [&](std::string_view name, const NicCounters& c) {
    seen.push_back(std::string(name) + " " + std::to_string(c.rx_bytes) + " " + std::to_string(c.tx_bytes));
  };
  const std::string heading =
      "Inter-|   Receive                                                |  Transmit\n"
      " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs\n";
  ASSERT_TRUE(parse_net_dev(heading + "    lo: 100 1 0 0 0 0 0 0 100 1 0 0 0 0 0 0\n"
                                      "eth0:123456789012 5 0 0 0 0 0 0 77 6 0 0 0 0 0 0\n",
                            each));
  EXPECT_THAT(seen, ElementsAre("lo 100 100", "eth0 123456789012 77")) << "a long number leaves no blank";
  EXPECT_FALSE(parse_net_dev(heading + "eth0 1 2 3\n", each));
  EXPECT_FALSE(parse_net_dev(heading + "eth0: 1 2 3 4 5 6 7 8\n", each));
}

TEST(CpuStat, ReadsBothVersions) {
  const CgroupTimes v2 = parse_cpu_stat(
      "usage_usec 1500\nuser_usec 1000\nsystem_usec 500\nnr_periods 4\nnr_throttled 2\nthrottled_usec 700\n");
  EXPECT_EQ(v2.usage_ns, 1'500'000u);
  EXPECT_EQ(v2.throttled_ns, 700'000u);
  const CgroupTimes v1 = parse_cpu_stat("nr_periods 4\nnr_throttled 2\nthrottled_time 12345\n");
  EXPECT_FALSE(v1.usage_ns);
  EXPECT_EQ(v1.throttled_ns, 12345u);
  const CgroupTimes root = parse_cpu_stat("usage_usec 9\n");
  EXPECT_EQ(root.throttled_ns, 0u) << "nothing holds it back";
  EXPECT_FALSE(parse_cpu_stat("usage_usec x\n").usage_ns);
}

TEST(CpuMax, TellsCpus) {
  EXPECT_EQ(parse_cpu_max("max 100000\n"), std::numeric_limits<double>::infinity());
  EXPECT_EQ(parse_cpu_max("25000 100000\n"), 0.25);
  for (const char* text : {"", "max\n", "x 100000\n", "100 0\n", "0 100000\n", "-5 100000\n"})
    EXPECT_EQ(parse_cpu_max(text), std::nullopt) << text;
}

TEST(Energy, WrapsAtItsRange) {
  EXPECT_EQ(energy_grown(100, 150, 1000), 50u);
  EXPECT_EQ(energy_grown(990, 15, 1000), 25u);
  EXPECT_EQ(energy_grown(990, 15, 0), std::nullopt) << "a counter that went back without a range to wrap at";
  EXPECT_EQ(energy_grown(2000, 15, 1000), std::nullopt);
}

TEST(Number, TakesTheWholeWordOrNothing) {
  EXPECT_EQ(only_number<std::uint64_t>("42\n"), 42u);
  EXPECT_EQ(only_number<std::int64_t>("-1\n"), -1);
  for (const char* text : {"", "\n", "42 43\n", "4x\n", "-1\n"})
    EXPECT_EQ(only_number<std::uint64_t>(text), std::nullopt) << text;
}

Nanoseconds at_ms(std::uint64_t ms) { return Nanoseconds::from_millis(1000 + ms); }

TEST(Growth, IsTakenOverTheWindow) {
  Growth<1, 2> growth;
  EXPECT_FALSE(growth.add({10}, at_ms(0)));
  auto step = growth.add({12}, at_ms(100));
  ASSERT_TRUE(step);
  EXPECT_EQ(step->counters[0], 2u);
  growth.add({17}, at_ms(200));
  step = growth.add({17}, at_ms(300));
  ASSERT_TRUE(step);
  EXPECT_EQ(step->counters[0], 5u) << "from 100 ms to 300 ms";
  EXPECT_EQ(step->elapsed, Nanoseconds::from_millis(200));
}

TEST(Growth, StartsAnewWhenACounterGoesBack) {
  Growth<2> growth;
  growth.add({10, 5}, at_ms(0));
  EXPECT_FALSE(growth.add({11, 4}, at_ms(100)));
  const auto step = growth.add({12, 6}, at_ms(200));
  ASSERT_TRUE(step);
  EXPECT_THAT(step->counters, ElementsAre(1u, 2u));
  EXPECT_FALSE(growth.add({12, 6}, at_ms(200))) << "no time has passed";
}

}  // namespace
}  // namespace penstock
