// A dataplane started on the flow tables of one that was killed.
//
//   restart.attach.*      taking over the table itself, as the process reports it
//   restart.socket.*      from exec until the control socket accepts
//   restart.forwarding.*  from exec until a packet is forwarded: the socket found, a configuration applied
//   restart.register.*    writing down what 100,000 backend indexes mean, which a new backend costs
//
// The predecessor's tables are written here, by dataplane/restart: five million flows by packets would need
// hours of a capture.

#include <signal.h>
#include <stdlib.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <regex>
#include <thread>
#include <vector>

#include "dataplane/restart/restart_state.h"
#include "penstock/base/clock.h"
#include "perf/micro/report/figures.h"
#include "perf/process/dataplane_process.h"
#include "perf/process/flow_capture.h"

namespace penstock::perf {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kBackends = 100'000;

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

template <class T>
T need(Result<T> result, const char* what) {
  if (result) return std::move(result).value();
  std::fprintf(stderr, "restart_bench: %s: %s\n", what, result.error().text().c_str());
  std::exit(1);
}

class FlowFolder {
 public:
  FlowFolder() {
    char name[] = "/dev/shm/penstock-bench-XXXXXX";
    path_ = mkdtemp(name);
  }
  ~FlowFolder() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  FlowFolder(const FlowFolder&) = delete;
  FlowFolder& operator=(const FlowFolder&) = delete;
  [[nodiscard]] RestartSettings settings() const { return {.folder = path_, .instance = "bench"}; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// A register of names as long as real ones, and the time that writing it takes, again for each new backend.
IndexPool write_names(RestartState& state, Figures& figures, int rounds) {
  IndexPool pool(1U << 18);
  const auto name = [](std::size_t i) {
    return "service-" + std::to_string(i / 100) + "\nbackend-" + std::to_string(i) + "\n10." +
           std::to_string(i >> 16 & 255) + "." + std::to_string(i >> 8 & 255) + "." + std::to_string(i & 255);
  };
  for (std::size_t i = 0; i < kBackends; ++i) static_cast<void>(pool.claim(name(i)));
  std::vector<double> times;
  for (int round = 0; round < rounds; ++round) {
    static_cast<void>(pool.claim(name(kBackends + static_cast<std::size_t>(round))));
    pool.commit();
    const auto start = Clock::now();
    state.keep(pool);
    times.push_back(ms_since(start));
  }
  figures.add("restart.register.write.100000", Samples(times), "ms", at_most(50));
  return pool;
}

/// Leaves what a killed dataplane with one worker would leave.
void leave_flows(const FlowFolder& folder, std::size_t flows, std::size_t capacity, Figures& figures,
                 int rounds) {
  auto settings = folder.settings();
  settings.forget = true;
  auto state = need(RestartState::open(settings), "flow folder");
  write_names(*state, figures, rounds);
  auto table =
      need(state->table(0, FlowTable::required_bytes(capacity), -1, tick_of(monotonic_now())), "table");
  const IdleTicks idle = IdleTicks::from_seconds(86'400, 86'400, 86'400, 86'400);
  std::mt19937_64 random(42);
  for (std::size_t i = 0; i < flows; ++i) {
    const std::uint64_t digest = random();
    const auto backend = static_cast<BackendIndex>(digest % kBackends);
    table.flows.insert(digest, backend, PacketKind::kSyn, idle);
    table.flows.find_and_refresh(digest, PacketKind::kAck, idle);
  }
}

/// Milliseconds that the process says it took to take over.
double attach_ms(const std::string& log, std::size_t flows) {
  std::smatch match;
  const std::regex line("takes over ([0-9]+) flows, after ([0-9.]+) ms");
  if (!std::regex_search(log, match, line) || std::stoull(match[1]) < flows * 99 / 100) {
    std::fprintf(stderr, "restart_bench: the flows were not taken over:\n%s\n", log.c_str());
    std::exit(1);
  }
  return std::stod(match[2]);
}

struct Starts {
  std::vector<double> attach, socket, forwarding;
};

void start_once(const std::vector<std::string>& flags, const proto::ApplyConfigRequest& config,
                std::size_t flows, Starts& out) {
  const auto start = Clock::now();
  auto dataplane = need(DataplaneProcess::start(flags), "start");
  out.socket.push_back(ms_since(start));
  need(dataplane.apply(config), "configuration");
  while (outcome_packets(need(dataplane.stats(), "stats"), "forwarded") == 0) {
    if (ms_since(start) > 60'000) {
      std::fprintf(stderr, "restart_bench: nothing is forwarded\n");
      std::exit(1);
    }
  }
  out.forwarding.push_back(ms_since(start));
  if (flows != 0) out.attach.push_back(attach_ms(dataplane.process().output(), flows));
  kill(dataplane.process().pid(), SIGKILL);
}

void add(const std::string& name, const Starts& starts, Figures& figures) {
  if (!starts.attach.empty())
    figures.add("restart.attach." + name, Samples(starts.attach), "ms", at_most(1000));
  figures.add("restart.socket." + name, Samples(starts.socket), "ms");
  figures.add("restart.forwarding." + name, Samples(starts.forwarding), "ms");
}

int run(int argc, char** argv) {
  const BenchOptions options = bench_options_or_exit(argc, argv);
  const int rounds = options.quick ? 3 : 7;
  const std::string capture = std::filesystem::temp_directory_path() / "penstock-restart-bench.pcap";
  need(write_flow_capture(capture, {0, 4'096}, Ipv4Addr{{203, 0, 113, 10}}, 80), "capture");
  std::vector<std::string> flags{"--port",
                                 "net_pcap0,rx_pcap=" + capture + ",infinite_rx=1",
                                 "--no-huge",
                                 "--lcores",
                                 "1",
                                 "--static-next-hop",
                                 "net_pcap0,mac=02:00:00:00:00:fe,source_v4=192.0.2.1"};
  Figures figures("restart");
  const FlowFolder folder;

  Starts anonymous;
  for (int i = 0; i < rounds; ++i) start_once(flags, make_config(1, 1, 3), 0, anonymous);
  add("without_flows", anonymous, figures);

  struct Case {
    const char* name;
    std::size_t flows;
    std::size_t services;
    std::size_t backends;
  };
  for (const Case& c : {Case{"1m_flows", 1'000'000, 1, 3}, Case{"5m_flows", 5'000'000, 1, 3},
                        Case{"5m_flows.1000x100", 5'000'000, 1'000, 100}}) {
    const std::size_t capacity = c.flows * 6 / 5;
    Figures unwanted("restart");
    leave_flows(folder, c.flows, capacity, c.services > 1 ? figures : unwanted, rounds);
    auto kept = flags;
    kept.insert(kept.end(),
                {"--flow-dir", folder.path(), "--instance", "bench", "--flows", std::to_string(capacity)});
    Starts starts;
    for (int i = 0; i < rounds; ++i)
      start_once(kept, make_config(1, c.services, c.backends), c.flows, starts);
    add(c.name, starts, figures);
  }
  std::filesystem::remove(capture);
  return figures.finish(options);
}

}  // namespace
}  // namespace penstock::perf

int main(int argc, char** argv) { return penstock::perf::run(argc, argv); }
