// penstock-dataplane: makes the parts and passes them to each other; runs until SIGTERM or SIGINT.
#include <spdlog/spdlog.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <memory>
#include <set>
#include <utility>

#include "dataplane/control/config_applier.h"
#include "dataplane/control/control_server.h"
#include "dataplane/control/socket_lock.h"
#include "dataplane/control/ticker.h"
#include "dataplane/dpdk/engine.h"
#include "dataplane/flow/flow_census.h"
#include "dataplane/netlink/next_hop_monitor.h"
#include "dataplane/own/own_traffic.h"
#include "dataplane/probe/direct_checker.h"
#include "dataplane/probe/health_judge.h"
#include "dataplane/probe/prober.h"
#include "dataplane/restart/restart_state.h"
#include "dataplane/settings.h"
#include "dataplane/sync/nat_replication.h"
#include "dataplane/sync/replication.h"
#include "penstock/abi/own_ports.h"
#include "penstock/base/clock.h"
#include "penstock/base/exit_code.h"
#include "penstock/base/wall_clock.h"

namespace penstock {
namespace {

// A scan of ten million entries takes some 50 ms of a CPU that is no worker's.
constexpr std::chrono::milliseconds kCensusInterval{1000};
constexpr std::chrono::milliseconds kDeadlineInterval{100};
constexpr std::chrono::milliseconds kJudgeInterval{20};

int exit_code(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return kExitBadConfig;
    case ErrorCode::kPermissionDenied:
      return kExitNoPermission;
    case ErrorCode::kAlreadyExists:
      return kExitTempFail;
    case ErrorCode::kUnavailable:
    case ErrorCode::kNotFound:
      return kExitUnavailable;
    case ErrorCode::kFailedPrecondition:
    case ErrorCode::kInternal:
      return kExitFailure;
  }
  return kExitFailure;
}

int refuse(const Error& error) {
  std::fprintf(stderr, "penstock-dataplane: %s\n", error.text().c_str());
  return exit_code(error.code);
}

/// Where the packets of each port go: the kernel's interface under it, or the static next hop.
NextHopSettings next_hop_settings(const DataplaneSettings& settings, const Engine& engine) {
  NextHopSettings out;
  out.source_v4 = settings.source_v4;
  out.source_v6 = settings.source_v6;
  for (std::uint16_t i = 0; i < engine.ports().size(); ++i) {
    const EnginePort& port = engine.ports()[i];
    std::optional<std::string> interface = port.interface;
    for (const auto& kernel : settings.kernel_interfaces) {
      if (kernel.port == port.name) interface = kernel.interface;
    }
    bool placed = interface.has_value();
    if (interface) out.interfaces.push_back({i, *interface});
    for (const auto& hop : settings.static_next_hops) {
      if (hop.port != port.name) continue;
      out.statics.push_back({i, port.mac, hop.mac, hop.source_v4, hop.source_v6, hop.mtu});
      placed = true;
    }
    if (!placed) {
      spdlog::warn("port {} has neither a kernel interface nor a static next hop: nothing leaves by it",
                   port.name);
    }
  }
  return out;
}

EngineView view_of(const Engine& engine, Replication* replication, const BackendStates& states,
                   const Prober* prober) {
  EngineView view;
  view.replication = replication;
  view.states = &states;
  if (prober != nullptr) view.probes = [prober] { return prober->counters(); };
  view.counters.assign(engine.counters().begin(), engine.counters().end());
  view.flows.assign(engine.flows().begin(), engine.flows().end());
  view.flow_origins = engine.flow_origins();
  view.oldest_progress = [&engine] { return engine.oldest_progress(); };
  view.ports = [&engine] {
    std::vector<PortView> ports;
    for (std::size_t i = 0; i < engine.ports().size(); ++i) {
      const EnginePortCounts c = engine.port_counts(i);
      ports.push_back({engine.ports()[i].name, c.rx_packets, c.tx_packets, c.rx_missed, c.rx_errors,
                       c.tx_errors, c.steered, c.passed});
    }
    return ports;
  };
  return view;
}

/// An interface may be given another MAC while it runs; the steering program looks at it.
void follow_macs(const NextHopSettings& hops, const NextHopMonitor& monitor, Engine& engine) {
  for (const PortInterface& port : hops.interfaces) {
    const auto mac = monitor.interface_mac(port.port);
    if (!mac) continue;
    if (auto set = engine.set_steering_mac(port.port, *mac); !set) spdlog::warn("{}", set.error().text());
  }
}

/// Null when the settings say so.
Result<std::unique_ptr<Prober>> start_prober(const DataplaneSettings& settings, ProbeSink& judge,
                                             OwnChannel& channel) {
  if (settings.probe_interval_ms == 0) return std::unique_ptr<Prober>();
  return Prober::start(Nanoseconds::from_millis(settings.probe_interval_ms), judge, channel);
}

/// The gateway's addresses as its backends see them, where their answers arrive.
std::set<IpAddr> own_addresses(const NextHops& hops) {
  std::set<IpAddr> out;
  for (const auto& [backend, hop] : hops) out.insert(hop.outer_source);
  return out;
}

/// By probes, or without them by what the configuration and the fleet say.
void judge_backends(ProbePlan plan, Prober* prober, HealthJudge& judge) {
  if (prober != nullptr) return prober->follow(std::move(plan));
  judge.follow(plan, monotonic_now());
}

DirectRounds::Listeners listeners_of(HealthJudge& judge) {
  return {
      [&judge](BackendIndex backend, bool passed, Nanoseconds now) { judge.direct(backend, passed, now); },
      [&judge](BackendIndex backend) { return judge.heard(backend); }};
}

/// The judge's clock; null while the prober is that.
std::unique_ptr<Ticker> tick_judge(const Prober* prober, HealthJudge& judge) {
  if (prober != nullptr) return nullptr;
  return std::make_unique<Ticker>(kJudgeInterval, [&judge] { judge.tick(monotonic_now()); });
}

/// Blocks the signals in this thread and all that it starts, so that wait() alone receives them.
class StopSignal {
 public:
  StopSignal() {
    sigemptyset(&set_);
    sigaddset(&set_, SIGTERM);
    sigaddset(&set_, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
  }
  void wait() const {
    int signal = 0;
    sigwait(&set_, &signal);
  }

 private:
  sigset_t set_{};
};

/// Null without --flow-dir.
Result<std::unique_ptr<RestartState>> open_kept_state(const DataplaneSettings& settings) {
  if (settings.flow_dir.empty()) return std::unique_ptr<RestartState>();
  return RestartState::open({.folder = settings.flow_dir,
                             .instance = settings.instance,
                             .workers = static_cast<std::uint32_t>(settings.engine.cpus.size()),
                             .forget = settings.forget_flows});
}

/// Null unless there is NAT, and replication.
Result<std::unique_ptr<NatReplication>> open_nat_replication(const DataplaneSettings& settings) {
  if (!settings.sync || settings.engine.rare.nat.addresses.empty()) return std::unique_ptr<NatReplication>();
  return NatReplication::make(settings.engine.cpus.size(), settings.engine.rare.nat.flows);
}

void count_flows(const Engine& engine, FlowCensus& census) {
  for (const FlowTable* flows : engine.flows()) census.count(*flows);
  census.publish();
}

int run(const DataplaneSettings& settings, const StopSignal& stop) {
  auto lock = SocketLock::take(settings.socket);
  if (!lock) return refuse(lock.error());
  auto kept = open_kept_state(settings);
  if (!kept) return refuse(kept.error());
  RestartState* const state = kept->get();
  const auto replication = settings.sync ? std::make_unique<Replication>(*settings.sync) : nullptr;
  BackendStates states(kMaxBackendIndexes, kMaxServiceIndexes);
  EngineSettings engine_settings = settings.engine;
  engine_settings.reports.states = &states;
  if (replication) engine_settings.reports.foreign = &replication->foreign();
  auto replicated_nat = open_nat_replication(settings);
  if (!replicated_nat) return refuse(replicated_nat.error());
  NatReplication* const nat = replicated_nat->get();
  MoreReplicated more;
  if (nat != nullptr) {
    engine_settings.nat_events = nat->events();
    engine_settings.rare.nat.foreign = &nat->foreign();
    more = {{&nat->source()}, {&nat->sink()}};
  }
  OwnTraffic own(engine_settings.cpus.size());
  OwnChannel& probe_channel = own.add({PENSTOCK_OWN_PROBE_FIRST_PORT, PENSTOCK_OWN_PROBE_LAST_PORT});
  OwnChannel& check_channel = own.add({PENSTOCK_OWN_CHECK_FIRST_PORT, PENSTOCK_OWN_CHECK_LAST_PORT});
  engine_settings.own = &own;
  auto opened = Engine::open(engine_settings, state);
  if (!opened) return refuse(opened.error());
  Engine& engine = **opened;
  HealthJudge judge(states);
  auto probing = start_prober(settings, judge, probe_channel);
  if (!probing) return refuse(probing.error());
  Prober* const prober = probing->get();
  DirectChecker checker(check_channel, listeners_of(judge));

  const NextHopSettings hops = next_hop_settings(settings, engine);
  auto monitoring = NextHopMonitor::open(hops);
  if (!monitoring) return refuse(monitoring.error());
  NextHopMonitor& monitor = **monitoring;
  for (const IpAddr& address : settings.engine.rare.nat.answered_addresses()) {
    if (auto steered = engine.steer(VipPrefix(address, 0)); !steered) return refuse(steered.error());
  }
  Publisher publisher(engine.quiescence(), engine.counters());
  ConfigApplier applier(publisher,
                        {[&](std::span<const IpAddr> backends) { return monitor.resolve(backends); },
                         [&](const VipPrefix& vip) { return engine.steer(vip); },
                         [&](const VipPrefix& vip) { return engine.unsteer(vip); },
                         [state](const IndexPool& backends) {
                           if (state != nullptr) state->keep(backends);
                         },
                         [&](const Document& document) {
                           if (replication) replication->follow(document.hash_key);
                         },
                         [prober, &judge, &checker](const Document& document, const Snapshot& snapshot) {
                           judge_backends(make_probe_plan(document, snapshot), prober, judge);
                           // A gateway that does not probe asks backends nothing else either.
                           if (prober != nullptr) checker.follow(make_direct_plan(document, snapshot));
                         },
                         [prober, &checker, &engine](const NextHops& reached) {
                           if (auto steered = engine.steer_own(own_addresses(reached)); !steered)
                             spdlog::warn("{}", steered.error().text());
                           const auto next = std::make_shared<const NextHops>(reached);
                           if (prober != nullptr) prober->reach(next);
                           checker.reach(next);
                         }},
                        settings.engine.rare.nat.addresses,
                        state != nullptr ? std::span(state->names()) : std::span<const NamedIndex>(),
                        settings.engine.rare.nat.backup_addresses);
  monitor.follow([&] {
    follow_macs(hops, monitor, engine);
    applier.refresh_next_hops();
  });

  if (replication) {
    const auto with_snapshot = [&](const std::function<void(const Snapshot&)>& read) {
      applier.with_snapshot(read);
    };
    auto started =
        replication->start({engine.flows().begin(), engine.flows().end()}, with_snapshot, nullptr, more);
    if (!started) return refuse(started.error());
  }
  engine.run(publisher);
  FlowCensus census(kMaxBackendIndexes);
  auto counting = std::make_unique<Ticker>(kCensusInterval, [&] { count_flows(engine, census); });
  auto deadlines =
      std::make_unique<Ticker>(kDeadlineInterval, [&] { applier.end_drains(unix_seconds_now()); });
  const auto judging = tick_judge(prober, judge);
  EngineView view = view_of(engine, replication.get(), states, prober);
  view.direct = [&checker] { return checker.counters(); };
  view.health = [&judge](std::span<const BackendIndex> backends, std::vector<BackendReport>& out) {
    judge.report(backends, monotonic_now(), out);
  };
  view.fleet = [&judge](std::span<const FleetVerdict> verdicts) { judge.fleet(verdicts, monotonic_now()); };
  view.census = &census;
  auto server = ControlServer::start(settings.socket, applier, std::move(view));
  if (!server) return refuse(server.error());
  spdlog::info("polling {} port(s) with {} worker(s), listening on {}", engine.ports().size(),
               engine.counters().size(), settings.socket);
  stop.wait();

  // The heartbeat goes first, so that the VIPs are withdrawn while packets still flow.
  spdlog::info("stopping");
  (*server)->stop_heartbeats();
  server->reset();
  if (replication) replication->stop();
  monitor.stop();
  counting.reset();
  deadlines.reset();
  engine.stop();
  return kExitOk;
}

}  // namespace
}  // namespace penstock

int main(int argc, char** argv) {
  const auto settings = penstock::parse_dataplane_settings(argc, argv);
  if (const int* code = std::get_if<int>(&settings)) return *code;
  const penstock::StopSignal stop;
  return penstock::run(std::get<penstock::DataplaneSettings>(settings), stop);
}
