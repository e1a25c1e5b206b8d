// The sensors on file systems made for the test.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <functional>
#include <thread>

#include "bpf/agent/sensors/cgroups.h"
#include "bpf/agent/sensors/cpu.h"
#include "bpf/agent/sensors/disks.h"
#include "bpf/agent/sensors/gpu.h"
#include "bpf/agent/sensors/host_sensors.h"
#include "bpf/agent/sensors/nics.h"
#include "bpf/agent/sensors/power.h"
#include "bpf/agent/sensors/pressure.h"
#include "tests/unit/bpf/agent/temp_tree.h"

namespace penstock {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Nanoseconds at_ms(std::uint64_t ms) { return Nanoseconds::from_millis(1000 + ms); }

std::string stat(int busy, int idle, int running) {
  return "cpu  " + std::to_string(busy) + " 0 0 " + std::to_string(idle) + " 0 0 0 0 0 0\ncpu0 1\ncpu1 1\n" +
         "procs_running " + std::to_string(running) + "\n";
}

TEST(CpuSensor, TellsTheShareOfTheLastTwoReadingsAndWhoWaits) {
  const TempTree tree;
  tree.write("proc/stat", stat(100, 100, 5));
  CpuSensor sensor(tree.roots());
  HostLoad load;
  ASSERT_TRUE(sensor.read(at_ms(0), load));
  EXPECT_FALSE(load.cpu_utilization) << "one reading says nothing";
  ASSERT_TRUE(load.run_queue);
  EXPECT_DOUBLE_EQ(load.run_queue->value, 2) << "four others on two CPUs";
  tree.write("proc/stat", stat(115, 105, 1));
  ASSERT_TRUE(sensor.read(at_ms(100), load));
  ASSERT_TRUE(load.cpu_utilization);
  EXPECT_DOUBLE_EQ(load.cpu_utilization->value, 0.75);
  EXPECT_EQ(load.cpu_utilization->at, at_ms(100));
  EXPECT_DOUBLE_EQ(load.run_queue->value, 0);
  tree.write("proc/stat", stat(130, 104, 1));
  ASSERT_TRUE(sensor.read(at_ms(200), load));
  ASSERT_TRUE(load.cpu_utilization) << "the kernel's correction of idle time is no restart";
}

TEST(PressureSensor, TellsTheShareOfTheInterval) {
  const TempTree tree;
  tree.write("proc/pressure/io", "some avg10=0.00 avg60=0.00 avg300=0.00 total=1000\n");
  PressureSensor sensor(tree.roots(), "io", &HostLoad::io_pressure);
  HostLoad load;
  ASSERT_TRUE(sensor.read(at_ms(0), load));
  EXPECT_FALSE(load.io_pressure);
  tree.write("proc/pressure/io", "some avg10=0.00 avg60=0.00 avg300=0.00 total=26000\n");
  ASSERT_TRUE(sensor.read(at_ms(100), load));
  ASSERT_TRUE(load.io_pressure);
  EXPECT_DOUBLE_EQ(load.io_pressure->value, 0.25);
}

std::string disk(const char* name, int reads, int busy_ms) {
  return std::string("8 0 ") + name + " " + std::to_string(reads) + " 0 0 0 10 0 0 0 0 " +
         std::to_string(busy_ms) + " 0\n";
}

TEST(DiskSensor, TellsTheBusiestDiskAndCountsNothingTwice) {
  const TempTree tree;
  tree.write("sys/class/block/sda1/partition", "1\n");
  tree.write("proc/diskstats",
             disk("sda", 0, 0) + disk("sda1", 0, 0) + disk("sdb", 0, 0) + disk("dm-0", 0, 0));
  DiskSensor sensor(tree.roots());
  HostLoad load;
  ASSERT_TRUE(sensor.read(at_ms(0), load));
  EXPECT_FALSE(load.disk_utilization);
  tree.write("proc/diskstats",
             disk("sda", 100, 200) + disk("sda1", 100, 900) + disk("sdb", 50, 700) + disk("dm-0", 150, 999));
  ASSERT_TRUE(sensor.read(at_ms(1000), load));
  ASSERT_TRUE(load.disk_utilization && load.disk_iops);
  EXPECT_DOUBLE_EQ(load.disk_utilization->value, 0.7);
  EXPECT_DOUBLE_EQ(load.disk_iops->value, 150);
}

TEST(DiskSensor, SaysNothingOfAHostWithoutDisks) {
  const TempTree tree;
  tree.write("proc/diskstats", disk("loop0", 0, 0));
  DiskSensor sensor(tree.roots());
  HostLoad load;
  ASSERT_TRUE(sensor.read(at_ms(0), load));
  ASSERT_TRUE(sensor.read(at_ms(1000), load));
  EXPECT_FALSE(load.disk_utilization || load.disk_iops);
}

std::string net_dev(std::uint64_t rx, std::uint64_t tx) {
  const auto line = [&](const char* name) {
    return std::string(name) + ": " + std::to_string(rx) + " 0 0 0 0 0 0 0 " + std::to_string(tx) +
           " 0 0 0 0 0 0 0\n";
  };
  return "one\ntwo\n" + line("eth0") + line("eth1") + line("lo");
}

TEST(NicSensor, ComparesBytesWithTheSpeedOfItsInterfaces) {
  const TempTree tree;
  tree.write("proc/net/dev", net_dev(0, 0));
  std::vector<std::string> asked;
  NicSensor sensor(tree.roots(), {"eth0", "eth1"}, {{"eth1", 100}}, [&](const std::string& name) {
    asked.push_back(name);
    return std::optional<std::uint32_t>(1000);
  });
  HostLoad load;
  ASSERT_TRUE(sensor.read(at_ms(0), load));
  EXPECT_FALSE(load.nic_rx_utilization);
  tree.write("proc/net/dev", net_dev(6'250'000, 1'250'000));
  ASSERT_TRUE(sensor.read(at_ms(1000), load));
  ASSERT_TRUE(load.nic_rx_utilization && load.nic_tx_utilization);
  EXPECT_DOUBLE_EQ(load.nic_rx_utilization->value, 0.5) << "eth1 is the slower one";
  EXPECT_DOUBLE_EQ(load.nic_tx_utilization->value, 0.1);
  EXPECT_THAT(asked, ElementsAre("eth0")) << "not at every reading, and not where the speed is configured";
}

TEST(NicSensor, SaysNothingWithoutASpeed) {
  const TempTree tree;
  tree.write("proc/net/dev", net_dev(0, 0));
  NicSensor sensor(tree.roots(), {"eth0"}, {}, [](const std::string&) { return std::nullopt; });
  HostLoad load;
  ASSERT_TRUE(sensor.read(at_ms(0), load));
  tree.write("proc/net/dev", net_dev(100, 100));
  ASSERT_TRUE(sensor.read(at_ms(1000), load));
  EXPECT_FALSE(load.nic_rx_utilization || load.nic_tx_utilization);
}

TEST(PowerSensor, AddsPackagesAndMemoryAndCountsNoPartTwice) {
  const TempTree tree;
  const auto zone = [&](const std::string& folder, const char* name, int energy) {
    tree.write("sys/class/powercap/" + folder + "/name", std::string(name) + "\n");
    tree.write("sys/class/powercap/" + folder + "/max_energy_range_uj", "262143328850\n");
    tree.write("sys/class/powercap/" + folder + "/energy_uj", std::to_string(energy) + "\n");
  };
  const auto all = [&](int energy) {
    zone("intel-rapl:0", "package-0", energy);
    zone("intel-rapl:0:0", "core", energy);
    zone("intel-rapl:0:2", "dram", energy);
    zone("intel-rapl:1", "psys", energy);
  };
  all(0);
  const auto sensor = PowerSensor::find(tree.roots());
  ASSERT_NE(sensor, nullptr);
  HostLoad load;
  ASSERT_TRUE(sensor->read(at_ms(0), load));
  EXPECT_FALSE(load.power_watts);
  all(30'000'000);
  ASSERT_TRUE(sensor->read(at_ms(1000), load));
  ASSERT_TRUE(load.power_watts);
  EXPECT_DOUBLE_EQ(load.power_watts->value, 60) << "package and dram";
}

TEST(PowerSensor, IsMissingWhereThereIsNoRapl) {
  const TempTree tree;
  EXPECT_EQ(PowerSensor::find(tree.roots()), nullptr);
}

TEST(Gpus, OfSysfsAreCardsThatTellHowBusyTheyAre) {
  const TempTree tree;
  EXPECT_EQ(find_sysfs_gpus(tree.roots()), nullptr);
  tree.write("sys/class/drm/card0/device/vendor", "0x1002\n");
  tree.write("sys/class/drm/card0-DP-1/device/gpu_busy_percent", "99\n");
  EXPECT_EQ(find_sysfs_gpus(tree.roots()), nullptr);
  tree.write("sys/class/drm/card1/device/gpu_busy_percent", "42\n");
  tree.write("sys/class/drm/card2/device/gpu_busy_percent", "10\n");
  tree.write("sys/class/drm/card2/device/mem_info_vram_total", "8000\n");
  tree.write("sys/class/drm/card2/device/mem_info_vram_used", "6000\n");
  const auto gpus = find_sysfs_gpus(tree.roots());
  ASSERT_NE(gpus, nullptr);
  auto use = gpus->read();
  ASSERT_TRUE(use) << use.error().text();
  EXPECT_EQ(use->utilization, 0.42);
  EXPECT_EQ(use->memory, 0.75);
  tree.write("sys/class/drm/card1/device/gpu_busy_percent", "none\n");
  EXPECT_FALSE(gpus->read());
}

TEST(Gpus, OfNvmlAreFoundAtRunTime) {
  EXPECT_EQ(find_nvml_gpus("libthere-is-no-such-library.so"), nullptr);
  EXPECT_EQ(find_nvml_gpus("libc.so.6"), nullptr) << "a library without NVML's functions";
  const auto gpus = find_nvml_gpus(PENSTOCK_FAKE_NVML_LIBRARY);
  ASSERT_NE(gpus, nullptr);
  const auto use = gpus->read();
  ASSERT_TRUE(use) << use.error().text();
  EXPECT_EQ(use->utilization, 0.37) << "of the card that tells";
  EXPECT_EQ(use->memory, 0.75) << "of the fullest";
}

TEST(Gpus, OfNvmlWithoutADriverSaySo) {
  setenv("PENSTOCK_FAKE_NVML", "broken", 1);
  const auto use = find_nvml_gpus(PENSTOCK_FAKE_NVML_LIBRARY)->read();
  unsetenv("PENSTOCK_FAKE_NVML");
  ASSERT_FALSE(use);
  EXPECT_THAT(use.error().text(), HasSubstr("nvmlInit of NVML fails with 9"));
}

class ScriptedGpu final : public GpuSource {
 public:
  Result<GpuUse> read() override { return GpuUse{0.5, std::nullopt}; }
};

TEST(GpuSensor, TakesOverWhatItsThreadRead) {
  std::vector<std::unique_ptr<GpuSource>> sources;
  sources.push_back(std::make_unique<ScriptedGpu>());
  GpuSensor sensor(std::move(sources));
  HostLoad load;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!load.gpu_utilization && std::chrono::steady_clock::now() < deadline) {
    ASSERT_TRUE(sensor.read(at_ms(0), load));
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  ASSERT_TRUE(load.gpu_utilization);
  EXPECT_DOUBLE_EQ(load.gpu_utilization->value, 0.5);
  EXPECT_FALSE(load.gpu_mem_utilization);
}

TEST(ServiceCgroups, OfVersion2AreSharesOfTheLeastQuotaOnTheWay) {
  const TempTree tree;
  const std::string slice = "sys/fs/cgroup/web.slice/";
  tree.write(slice + "cpu.max", "50000 100000\n");
  tree.write(slice + "nginx.service/cpu.max", "max 100000\n");
  tree.write(slice + "nginx.service/cpu.stat", "usage_usec 0\nthrottled_usec 0\n");
  ServiceCgroups cgroups(tree.roots(), {{"web", "/sys/fs/cgroup/web.slice/nginx.service"}}, 8);
  cgroups.sample(at_ms(0));
  ASSERT_NE(cgroups.of("web"), nullptr);
  EXPECT_FALSE(cgroups.of("web")->cpu);
  EXPECT_EQ(cgroups.of("mail"), nullptr);
  tree.write(slice + "nginx.service/cpu.stat", "usage_usec 40000\nthrottled_usec 30000\n");
  cgroups.sample(at_ms(100));
  ASSERT_TRUE(cgroups.of("web")->cpu && cgroups.of("web")->throttled);
  EXPECT_DOUBLE_EQ(cgroups.of("web")->cpu->value, 0.8) << "40 ms of the 50 ms that it may use";
  EXPECT_DOUBLE_EQ(cgroups.of("web")->throttled->value, 0.3);
}

TEST(ServiceCgroups, OfVersion1LieInTwoHierarchies) {
  const TempTree tree;
  const auto write = [&](std::uint64_t used_ns, std::uint64_t throttled_ns) {
    tree.write("sys/fs/cgroup/cpuacct/web/cpuacct.usage", std::to_string(used_ns) + "\n");
    tree.write("sys/fs/cgroup/cpu/web/cpu.stat",
               "nr_periods 1\nnr_throttled 1\nthrottled_time " + std::to_string(throttled_ns) + "\n");
  };
  write(0, 0);
  tree.write("sys/fs/cgroup/cpu/web/cpu.cfs_quota_us", "-1\n");
  tree.write("sys/fs/cgroup/cpu/web/cpu.cfs_period_us", "100000\n");
  ServiceCgroups cgroups(tree.roots(), {{"web", "/web"}}, 2);
  cgroups.sample(at_ms(0));
  write(50'000'000, 0);
  cgroups.sample(at_ms(100));
  ASSERT_TRUE(cgroups.of("web")->cpu);
  EXPECT_DOUBLE_EQ(cgroups.of("web")->cpu->value, 0.25) << "without a quota, of both CPUs";
  tree.write("sys/fs/cgroup/cpu/web/cpu.cfs_quota_us", "25000\n");
  for (int i = 2; i <= 14; ++i) {
    write(50'000'000u + static_cast<unsigned>(i) * 25'000'000u, static_cast<unsigned>(i) * 150'000'000u);
    cgroups.sample(at_ms(static_cast<unsigned>(i) * 100));
  }
  EXPECT_NEAR(cgroups.of("web")->cpu->value, 1, 1e-9) << "the quota is looked up every second";
  EXPECT_DOUBLE_EQ(cgroups.of("web")->throttled->value, 1) << "on two CPUs at once";
}

TEST(ServiceCgroups, ComeAndGoWithTheirService) {
  const TempTree tree;
  ServiceCgroups cgroups(tree.roots(), {{"web", "/web"}}, 2);
  cgroups.sample(at_ms(0));
  EXPECT_THAT(cgroups.problems(),
              ElementsAre("the CPU of service web is not known: there is no cgroup /web"));
  EXPECT_FALSE(cgroups.of("web")->cpu);
  tree.write("sys/fs/cgroup/web/cpu.stat", "usage_usec 0\n");
  cgroups.sample(at_ms(1000));
  tree.write("sys/fs/cgroup/web/cpu.stat", "usage_usec 100000\n");
  cgroups.sample(at_ms(1100));
  EXPECT_THAT(cgroups.problems(), IsEmpty());
  ASSERT_TRUE(cgroups.of("web")->cpu);
  tree.write("sys/fs/cgroup/web/cpu.stat", "nothing of use\n");
  cgroups.sample(at_ms(1200));
  EXPECT_FALSE(cgroups.of("web")->cpu) << "absent, not what it was";
  EXPECT_THAT(cgroups.problems(), testing::SizeIs(1));
}

/// Does what the test says.
class ScriptedSensor final : public Sensor {
 public:
  ScriptedSensor(const bool& works, int& reads) : works_(works), reads_(reads) {}
  [[nodiscard]] const char* name() const override { return "scripted"; }
  [[nodiscard]] Nanoseconds period() const override { return kOften; }
  Status read(Nanoseconds now, HostLoad& load) override {
    ++reads_;
    load.cpu_utilization.reset();
    if (!works_) return unavailable("it is broken");
    load.cpu_utilization = Measured{0.5, now};
    return Ok{};
  }

 private:
  const bool& works_;
  int& reads_;
};

TEST(HostSensors, AreReadAtTheirPaceAndWhatFailsIsAbsentAndTriedAgain) {
  bool works = true;
  int reads = 0;
  std::vector<std::unique_ptr<Sensor>> list;
  list.push_back(std::make_unique<ScriptedSensor>(works, reads));
  HostSensors sensors(std::move(list));
  for (unsigned ms = 0; ms <= 1000; ms += 50) sensors.sample(at_ms(ms));
  EXPECT_EQ(reads, 11);
  EXPECT_TRUE(sensors.load().cpu_utilization);
  works = false;
  sensors.sample(at_ms(1100));
  EXPECT_FALSE(sensors.load().cpu_utilization);
  EXPECT_THAT(sensors.problems(), ElementsAre("the scripted sensor fails: it is broken"));
  works = true;
  sensors.sample(at_ms(2000));
  EXPECT_EQ(reads, 12) << "not before ten seconds are over";
  sensors.sample(at_ms(11'100));
  EXPECT_TRUE(sensors.load().cpu_utilization);
  EXPECT_THAT(sensors.problems(), IsEmpty());
}

TEST(HostSensors, OneThatNeverWorkedIsMissingAndNoProblem) {
  const bool works = false;
  int reads = 0;
  std::vector<std::unique_ptr<Sensor>> list;
  list.push_back(std::make_unique<ScriptedSensor>(works, reads));
  HostSensors sensors(std::move(list));
  sensors.sample(at_ms(0));
  EXPECT_THAT(sensors.problems(), IsEmpty());
}

TEST(HostSensors, OfThisMachineMeasureItsCpuAndMemory) {
  HostSensors sensors = find_host_sensors({}, {"lo"}, {});
  sensors.sample(at_ms(0));
  sensors.sample(at_ms(2000));
  const HostLoad& load = sensors.load();
  ASSERT_TRUE(load.mem_utilization);
  EXPECT_GT(load.mem_utilization->value, 0);
  EXPECT_LT(load.mem_utilization->value, 1);
  EXPECT_TRUE(load.run_queue);
  EXPECT_FALSE(load.nic_rx_utilization) << "lo has no speed";
}

}  // namespace
}  // namespace penstock
