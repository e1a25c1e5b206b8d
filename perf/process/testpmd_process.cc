#include "perf/process/testpmd_process.h"

#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <regex>
#include <thread>

#include "perf/process/child_process.h"

namespace penstock::perf {
namespace {

// The first two reports include the start.
constexpr std::size_t kStartReports = 2;
constexpr auto kPatience = std::chrono::seconds(40);

// Forwarding lcores 1, 2, ... have a CPU each; the main one, which sleeps between its reports, floats over
// them, as penstock-dataplane's does.
std::string lcore_map(const std::vector<unsigned>& cpus) {
  std::string all;
  std::string map;
  for (std::size_t i = 0; i < cpus.size(); ++i) {
    all += (i == 0 ? "" : ",") + std::to_string(cpus[i]);
    map += "," + std::to_string(i + 1) + "@" + std::to_string(cpus[i]);
  }
  return "0@(" + all + ")" + map;
}

std::vector<std::string> command(const TestpmdRun& run) {
  const std::string lcores = std::to_string(run.cpus.size());
  return {"dpdk-testpmd",
          "--in-memory",
          "--no-pci",
          "--no-telemetry",
          "-m",
          std::to_string(run.memory_mb),
          "--lcores",
          lcore_map(run.cpus),
          "--main-lcore",
          "0",
          "--vdev",
          run.port,
          "--",
          "--forward-mode=macswap",
          "--auto-start",
          "--burst=32",
          "--nb-cores=" + lcores,
          "--rxq=" + lcores,
          "--txq=" + lcores,
          "--rxd=1024",
          "--txd=1024",
          "--total-num-mbufs=" + std::to_string(run.buffers),
          "--stats-period",
          "1"};
}

std::vector<double> reported_rates(const std::string& text) {
  static const std::regex kRate(R"(Rx-pps:\s+(\d+))");
  std::vector<double> rates;
  for (auto it = std::sregex_iterator(text.begin(), text.end(), kRate); it != std::sregex_iterator(); ++it) {
    rates.push_back(std::stod((*it)[1]) / 1e6);
  }
  return rates;
}

}  // namespace

Result<std::vector<double>> testpmd_rates(const TestpmdRun& run) {
  const std::string log =
      std::filesystem::temp_directory_path() / ("penstock-testpmd-" + std::to_string(getpid()) + ".log");
  auto testpmd = ChildProcess::start(command(run), log);
  if (!testpmd) return testpmd.error();
  const std::size_t enough = kStartReports + static_cast<std::size_t>(run.seconds);
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  std::vector<double> rates;
  while (rates.size() < enough && std::chrono::steady_clock::now() < deadline && testpmd->running()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    rates = reported_rates(testpmd->output());
  }
  testpmd->stop();
  const std::string output = testpmd->output();
  std::filesystem::remove(log);
  if (rates.size() < enough) return unavailable("testpmd gave no rates:\n" + output);
  rates.erase(rates.begin(), rates.begin() + kStartReports);
  return rates;
}

}  // namespace penstock::perf
