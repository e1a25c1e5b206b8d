// One run of wrk, cut into slices: with the hooks and without in turn. Each slice with them is compared with
// the mean of the two beside it, so that a machine that changes its speed does so to both; the figure is the
// median of that. CPU time a request is steadier than requests a second where the machine is shared.
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "bpf/agent/telemetry/telemetry.h"
#include "penstock/base/clock.h"
#include "perf/telemetry/cases.h"
#include "perf/telemetry/web_server.h"

namespace penstock::perf {
namespace {

constexpr std::uint16_t kPort = 8080;

VipKey service() {
  VipKey key;
  key.vip = Ipv4Addr{{127, 0, 0, 1}};
  key.protocol = kProtoTcp;
  key.port = kPort;
  return key;
}

struct Case {
  const char* name;
  Load load;
  std::optional<Target> fewer;  // percent
};

/// What an agent does with it, in a thread of its own.
class Reader {
 public:
  static Result<std::unique_ptr<Reader>> start() {
    auto telemetry = Telemetry::load();
    if (!telemetry) return telemetry.error();
    if (auto set = (*telemetry)->set_services({service()}); !set) return set.error();
    return std::make_unique<Reader>(std::move(*telemetry));
  }
  explicit Reader(std::unique_ptr<Telemetry> telemetry)
      : telemetry_(std::move(telemetry)), thread_([this](const std::stop_token& stop) {
          while (!stop.stop_requested()) {
            telemetry_->sample(monotonic_now());
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
          }
        }) {}
  /// Ends the reading.
  std::uint64_t responses() {
    thread_.request_stop();
    thread_.join();
    return telemetry_->sample(monotonic_now()).at(service()).responses;
  }

 private:
  std::unique_ptr<Telemetry> telemetry_;
  std::jthread thread_;
};

/// Counted requests must be those that nginx answered, or a missing hook would look cheap.
Result<Slice> measure_hooked(WebServer& server, double seconds) {
  auto reader = Reader::start();
  if (!reader) return reader.error();
  const auto before = server.requests();
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  auto slice = server.measure(seconds);
  const auto after = server.requests();
  if (!slice) return slice;
  if (!before) return before.error();
  if (!after) return after.error();
  const double made = *after - *before;
  const auto counted = static_cast<double>((*reader)->responses());
  if (counted < made * 0.9 || counted > made * 1.2) {
    return internal_error("nginx answered " + std::to_string(made) + " requests, telemetry saw " +
                          std::to_string(counted));
  }
  return slice;
}

Status measure(Figures& figures, WebServer& server, const Case& what, int pairs) {
  constexpr double kSeconds = 0.4;
  if (auto loaded = server.load(what.load); !loaded) return loaded;
  std::vector<double> with, without, fewer, cpu;
  auto before = server.measure(kSeconds);
  for (int i = 0; i < pairs; ++i) {
    const auto hooked = measure_hooked(server, kSeconds);
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    auto after = server.measure(kSeconds);
    if (!before) return before.error();
    if (!hooked) return hooked.error();
    if (!after) return after.error();
    const double rate = (before->requests_per_second + after->requests_per_second) / 2;
    without.push_back(rate);
    with.push_back(hooked->requests_per_second);
    fewer.push_back(100 * (1 - hooked->requests_per_second / rate));
    cpu.push_back(100 * (2 * hooked->cpu_us / (before->cpu_us + after->cpu_us) - 1));
    before = std::move(after);
  }
  server.idle();
  const std::string name = std::string("telemetry.hooks.") + what.name;
  figures.add(name + ".fewer", Samples(fewer), "%", what.fewer);
  figures.add(name + ".more_cpu", Samples(cpu), "%");
  figures.add(name + ".without", Samples(without), "requests/s");
  figures.add(name + ".with", Samples(with), "requests/s");
  return Ok{};
}

}  // namespace

Status measure_hooks(Figures& figures, bool quick) {
  if (unshare(CLONE_NEWNET) != 0 || std::system("ip link set lo up") != 0) {
    return unavailable(std::string("cannot make a network namespace: ") + std::strerror(errno));
  }
  auto server = WebServer::start(kPort);
  if (!server) return server.error();
  const Case cases[] = {
      {"small", {"/small", true}, at_most(3)},
      {"large", {"/large", true}, at_most(3)},
      {"connection_a_request", {"/small", false}, {}},
  };
  for (const Case& what : cases) {
    if (auto done = measure(figures, *server, what, quick ? 12 : 40); !done) return done;
  }
  return Ok{};
}

}  // namespace penstock::perf
