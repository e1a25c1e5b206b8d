// The whole process on real ethdevs against dpdk-testpmd, which only swaps MAC addresses: A B A B, the ratio
// taken pair by pair, because the machine's speed drifts by more than the difference.
//
//   pmd.null.*     net_null: packets that are not for a VIP
//   pmd.flows.*    net_pcap with infinite_rx: established flows, encapsulated and sent
//   pmd.workers.*  two workers on two ports against one on one

#include <cstdio>
#include <filesystem>
#include <regex>
#include <thread>

#include "perf/micro/report/figures.h"
#include "perf/process/dataplane_process.h"
#include "perf/process/flow_capture.h"

namespace penstock::perf {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kNextHop = ",mac=02:00:00:00:00:fe,source_v4=192.0.2.1";

template <class T>
T need(Result<T> result, const char* what) {
  if (result) return std::move(result).value();
  std::fprintf(stderr, "pmd_bench: %s: %s\n", what, result.error().text().c_str());
  std::exit(1);
}

std::string capture_path(std::size_t flows) {
  return std::filesystem::temp_directory_path() / ("penstock-pmd-bench-" + std::to_string(flows) + ".pcap");
}

std::string capture_port(int index, std::size_t flows) {
  return "net_pcap" + std::to_string(index) + ",rx_pcap=" + capture_path(flows) + ",infinite_rx=1";
}

/// Mpps of our process over `seconds`, warmed up. `outcome` must be that of practically every packet.
double penstock_mpps(const std::vector<std::string>& ports, const std::string& lcores,
                     const std::string& outcome, double seconds) {
  std::vector<std::string> flags{
      "--lcores",          lcores,
      "--memory-mb",       "1024",
      "--static-next-hop", ports.front().substr(0, ports.front().find(',')) + kNextHop};
  for (const auto& port : ports) flags.insert(flags.end(), {"--port", port});
  auto dataplane = need(DataplaneProcess::start(flags), "start");
  need(dataplane.apply(make_config(1, 1, 10)), "configuration");
  std::this_thread::sleep_for(
      std::chrono::duration<double>(seconds / 4));  // every flow has its entry by then
  const auto before = need(dataplane.stats(), "stats");
  const auto start = Clock::now();
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  const auto after = need(dataplane.stats(), "stats");
  const double elapsed = std::chrono::duration<double>(Clock::now() - start).count();
  const auto received = static_cast<double>(after.received_packets() - before.received_packets());
  const auto wanted = static_cast<double>(outcome_packets(after, outcome) - outcome_packets(before, outcome));
  if (wanted < 0.999 * received) {
    std::fprintf(stderr, "pmd_bench: only %.1f %% of the packets ended as %s\n", 100 * wanted / received,
                 outcome.c_str());
    std::exit(1);
  }
  return wanted / elapsed / 1e6;
}

/// Mpps of `dpdk-testpmd --forward-mode=macswap` as it reports itself each second; the median of its reports.
double testpmd_mpps(const std::string& port, double seconds) {
  auto testpmd =
      need(ChildProcess::start({"dpdk-testpmd", "--in-memory", "--no-pci", "-m", "1024", "-l", "0,1",
                                "--vdev", port, "--", "--forward-mode=macswap", "--auto-start",
                                "--total-num-mbufs=262144", "--burst=32", "--stats-period", "1"},
                               capture_path(0) + ".testpmd.log"),
           "testpmd");
  std::vector<double> rates;
  const auto deadline = Clock::now() + std::chrono::duration<double>(seconds + 20);
  const auto enough = static_cast<std::size_t>(seconds) + 2;  // the first two reports include the start
  while (rates.size() < enough && Clock::now() < deadline && testpmd.running()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    rates.clear();
    const std::string text = testpmd.output();
    static const std::regex kRate(R"(Rx-pps:\s+(\d+))");
    for (auto it = std::sregex_iterator(text.begin(), text.end(), kRate); it != std::sregex_iterator();
         ++it) {
      rates.push_back(std::stod((*it)[1]) / 1e6);
    }
  }
  if (rates.size() < enough) {
    std::fprintf(stderr, "pmd_bench: testpmd gave no rates:\n%s\n", testpmd.output().c_str());
    std::exit(1);
  }
  testpmd.stop();
  std::filesystem::remove(capture_path(0) + ".testpmd.log");
  return Samples(std::vector<double>(rates.begin() + 2, rates.end())).median();
}

void race(const std::string& name, const std::string& port, const std::string& outcome,
          std::optional<Target> target, bool quick, Figures& figures) {
  std::vector<double> ours, theirs, ratios;
  for (int pair = 0; pair < (quick ? 2 : 5); ++pair) {
    ours.push_back(penstock_mpps({port}, "1", outcome, quick ? 1 : 3));
    theirs.push_back(testpmd_mpps(port, quick ? 1 : 3));
    ratios.push_back(ours.back() / theirs.back());
  }
  figures.add("pmd." + name + ".penstock", Samples(ours), "Mpps");
  figures.add("pmd." + name + ".testpmd", Samples(theirs), "Mpps");
  figures.add(name == "flows.16k" ? "pmd.ratio" : "pmd." + name + ".ratio", Samples(ratios), "ratio", target);
}

void race_workers(bool quick, Figures& figures) {
  std::vector<double> one, two, ratios;
  for (int pair = 0; pair < (quick ? 2 : 5); ++pair) {
    one.push_back(penstock_mpps({capture_port(0, 16'384)}, "1", "forwarded", quick ? 1 : 3));
    two.push_back(
        penstock_mpps({capture_port(0, 16'384), capture_port(1, 16'384)}, "0,1", "forwarded", quick ? 1 : 3));
    ratios.push_back(two.back() / one.back());
  }
  figures.add("pmd.workers.1", Samples(one), "Mpps");
  figures.add("pmd.workers.2", Samples(two), "Mpps");
  figures.add("pmd.workers.ratio", Samples(ratios), "ratio", at_least(1.9));
}

int run(int argc, char** argv) {
  const BenchOptions options = bench_options_or_exit(argc, argv);
  const std::vector<std::pair<std::string, std::size_t>> sizes{{"flows.1", 1}, {"flows.16k", 16'384}};
  for (const auto& [name, flows] : sizes) {
    // One flow still needs a full ring of packets: net_pcap cycles through what it preloaded.
    need(write_flow_capture(capture_path(flows), flows, Ipv4Addr{{203, 0, 113, 10}}, 80, flows), "capture");
  }
  Figures figures("pmd");
  race("null", "net_null0", "not_vip", at_least(0.6), options.quick, figures);
  for (const auto& [name, flows] : sizes) {
    race(name, capture_port(0, flows), "forwarded", at_least(0.6), options.quick, figures);
  }
  race_workers(options.quick, figures);
  for (const auto& [name, flows] : sizes) std::filesystem::remove(capture_path(flows));
  return figures.finish(options);
}

}  // namespace
}  // namespace penstock::perf

int main(int argc, char** argv) { return penstock::perf::run(argc, argv); }
