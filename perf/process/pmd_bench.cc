// The whole process on real ethdevs against dpdk-testpmd, which only swaps MAC addresses: A B A B, the ratio
// taken pair by pair, because the machine's speed drifts by more than the difference.
//
//   pmd.null.*     net_null: packets that are not for a VIP
//   pmd.flows.*    net_pcap with infinite_rx: established flows, encapsulated and sent
//   *.above_testpmd  what a packet costs more than with testpmd: our work without the driver's
//   pmd.workers.*  two workers, with a queue of one port each, against one: ours and testpmd's

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <thread>

#include "perf/micro/flowtable/huge_memory.h"
#include "perf/micro/report/figures.h"
#include "perf/process/dataplane_process.h"
#include "perf/process/flow_capture.h"
#include "perf/process/testpmd_process.h"

namespace penstock::perf {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kHugePageMb = 2;

template <class T>
T need(Result<T> result, const char* what) {
  if (result) return std::move(result).value();
  std::fprintf(stderr, "pmd_bench: %s: %s\n", what, result.error().text().c_str());
  std::exit(1);
}

/// Captures in a folder of their own, which goes with the object. Flows are numbered in the order of making.
class Captures {
 public:
  Captures() { std::filesystem::create_directory(folder_); }
  ~Captures() { std::filesystem::remove_all(folder_); }
  Captures(const Captures&) = delete;
  Captures& operator=(const Captures&) = delete;

  /// A net_pcap port with `queues` queues, each of which replays `flows` flows of its own for ever.
  std::string port(std::size_t flows, std::size_t queues) {
    std::string devargs = "net_pcap0,infinite_rx=1";
    for (std::size_t queue = 0; queue < queues; ++queue) {
      const std::string path = folder_ / (std::to_string(flow_) + ".pcap");
      const FlowRange range{flow_, static_cast<std::uint32_t>(flows)};
      need(write_flow_capture(path, range, Ipv4Addr{{203, 0, 113, 10}}, 80), "capture");
      flow_ += range.count;
      devargs += ",rx_pcap=" + path;
    }
    return devargs;
  }

 private:
  const std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("penstock-pmd-bench-" + std::to_string(getpid()));
  std::uint32_t flow_ = 0;
};

/// What both contenders are given.
struct Load {
  std::string port;
  std::string outcome;  // of practically every packet, with us
  std::vector<unsigned> cpus{1};
  std::size_t preloaded = 0;  // packets that the driver keeps, in each queue
  int seconds = 2;

  [[nodiscard]] std::size_t buffers_per_queue() const { return preloaded + 16'384; }
  [[nodiscard]] std::size_t memory_mb() const {
    return 256 + buffers_per_queue() * (cpus.size() + 1) * 2'560 / (1 << 20);
  }
};

std::vector<std::string> flags_of(const Load& load) {
  const std::string name = load.port.substr(0, load.port.find(','));
  std::string lcores;
  for (const unsigned cpu : load.cpus) lcores += (lcores.empty() ? "" : ",") + std::to_string(cpu);
  return {"--lcores",
          lcores,
          "--port",
          load.port,
          "--memory-mb",
          std::to_string(load.memory_mb()),
          "--buffers",
          std::to_string(load.buffers_per_queue()),
          "--flows",
          std::to_string(std::max<std::size_t>(load.preloaded * 5 / 4, 1'000'000)),
          "--static-next-hop",
          name + ",mac=02:00:00:00:00:fe,source_v4=192.0.2.1"};
}

/// Millions of packets per second, once every flow has its entry.
double penstock_mpps(const Load& load) {
  auto dataplane = need(DataplaneProcess::start(flags_of(load)), "start");
  need(dataplane.apply(make_config(1, 1, 10)), "configuration");
  const auto warm = Clock::now() + std::chrono::milliseconds(500);
  auto before = need(dataplane.stats(), "stats");
  while (Clock::now() < warm || outcome_packets(before, load.outcome) < 4 * load.preloaded) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    before = need(dataplane.stats(), "stats");
  }
  const auto start = Clock::now();
  std::this_thread::sleep_for(std::chrono::seconds(load.seconds));
  const auto after = need(dataplane.stats(), "stats");
  const double elapsed = std::chrono::duration<double>(Clock::now() - start).count();
  const auto received = static_cast<double>(after.received_packets() - before.received_packets());
  const auto wanted =
      static_cast<double>(outcome_packets(after, load.outcome) - outcome_packets(before, load.outcome));
  if (wanted < 0.999 * received) {
    std::fprintf(stderr, "pmd_bench: only %.1f %% of the packets ended as %s\n", 100 * wanted / received,
                 load.outcome.c_str());
    std::exit(1);
  }
  return wanted / elapsed / 1e6;
}

double testpmd_mpps(const Load& load) {
  TestpmdRun run;
  run.port = load.port;
  run.cpus = load.cpus;
  run.buffers = load.buffers_per_queue() * (load.cpus.size() + 1);
  run.memory_mb = load.memory_mb();
  run.seconds = load.seconds;
  return Samples(need(testpmd_rates(run), "testpmd")).median();
}

/// ratio: the name of the figure that carries the target.
void race(const std::string& name, const std::string& ratio, const Load& load, int pairs, Figures& figures) {
  std::vector<double> ours, theirs, ratios;
  for (int pair = 0; pair < pairs; ++pair) {
    ours.push_back(penstock_mpps(load));
    theirs.push_back(testpmd_mpps(load));
    ratios.push_back(ours.back() / theirs.back());
    std::fprintf(stderr, "pmd.%s: %.2f Mpps, testpmd %.2f\n", name.c_str(), ours.back(), theirs.back());
  }
  figures.add("pmd." + name + ".penstock", Samples(ours), "Mpps");
  figures.add("pmd." + name + ".testpmd", Samples(theirs), "Mpps");
  figures.add("pmd." + name + ".above_testpmd",
              1000 / Samples(ours).median() - 1000 / Samples(theirs).median(), "ns");
  figures.add(ratio, Samples(ratios), "ratio", at_least(0.6));
}

/// testpmd shares nothing between its lcores either: what it gains by a second one is what this machine
/// gives.
void race_workers(const Load& one, const Load& two, int pairs, Figures& figures) {
  std::vector<double> ours_one, ours_two, ours, theirs;
  for (int pair = 0; pair < pairs; ++pair) {
    ours_one.push_back(penstock_mpps(one));
    ours_two.push_back(penstock_mpps(two));
    ours.push_back(ours_two.back() / ours_one.back());
    const double alone = testpmd_mpps(one);
    theirs.push_back(testpmd_mpps(two) / alone);
    std::fprintf(stderr, "pmd.workers: 2 give %.2f of 1, testpmd %.2f\n", ours.back(), theirs.back());
  }
  figures.add("pmd.workers.1", Samples(ours_one), "Mpps");
  figures.add("pmd.workers.2", Samples(ours_two), "Mpps");
  figures.add("pmd.workers.ratio", Samples(ours), "ratio", at_least(1.9));
  figures.add("pmd.workers.testpmd.ratio", Samples(theirs), "ratio");
}

int run(int argc, char** argv) {
  const BenchOptions options = bench_options_or_exit(argc, argv);
  const int pairs = options.quick ? 1 : 3;
  constexpr std::size_t k16k = 16'384;
  constexpr std::size_t k1M = 1'000'000;
  Captures captures;
  Figures figures("pmd");
  race("null", "pmd.null.ratio", {"net_null0", "not_vip"}, pairs, figures);
  race("flows.1", "pmd.flows.1.ratio", {captures.port(1, 1), "forwarded", {1}, 1}, pairs, figures);
  const Load one{captures.port(k16k, 1), "forwarded", {1}, k16k};
  race("flows.16k", "pmd.ratio", one, pairs, figures);
  if (!options.quick) {
    const Load many{captures.port(k1M, 1), "forwarded", {1}, k1M};
    const HugePageReservation pages(many.memory_mb() / kHugePageMb);
    if (pages.granted()) race("flows.1M", "pmd.flows.1M.ratio", many, 2, figures);
  }
  race_workers(one, {captures.port(k16k, 2), "forwarded", {0, 1}, k16k}, options.quick ? 1 : 3, figures);
  return figures.finish(options);
}

}  // namespace
}  // namespace penstock::perf

int main(int argc, char** argv) { return penstock::perf::run(argc, argv); }
