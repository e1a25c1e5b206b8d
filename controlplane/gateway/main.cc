// penstock-gateway: on every gateway host, between the control plane, the dataplane and the routing daemon.
#include <pthread.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <iterator>
#include <sstream>
#include <string>

#include "controlplane/announce/vip_routes.h"
#include "controlplane/gateway/gateway.h"
#include "controlplane/gateway/state_lock.h"
#include "controlplane/gateway/withdrawal.h"
#include "penstock/base/exit_code.h"
#include "penstock/config/limits.h"
#include "penstock/process/settings.h"
#include "penstock/process/tls.h"

namespace penstock {
namespace {

struct Flags {
  std::string id;
  std::string controlplane = "127.0.0.1:7781";
  GatewayOptions gateway;
  VipRouteOptions routes;
  RoutingOptions routing;
  std::string withdraw;  // empty: run
  std::string restart_command;
  unsigned route_protocol = 99;
  unsigned heartbeat_interval_ms = 20;
  unsigned heartbeat_timeout_ms = 100;
  unsigned hold_ms = 200;
  TlsFiles tls;

  void add_to(CLI::App& app) {
    app.add_option("--id", id, "Name of this gateway, unique in the fleet; not needed with --withdraw");
    app.add_option("--withdraw", withdraw,
                   "Delete this host's VIP routes and exit: always, or unless the dataplane forwards "
                   "(unless-forwarding)")
        ->check(CLI::IsMember({"always", "unless-forwarding"}));
    app.add_option("--controlplane", controlplane, "Control plane, HOST:PORT")->capture_default_str();
    app.add_option("--dataplane-socket", gateway.dataplane_socket, "Unix socket of the dataplane")
        ->capture_default_str();
    app.add_option("--state-dir", gateway.state_dir, "Where the last good configuration is kept")
        ->capture_default_str();
    app.add_option("--route-table", routes.table_v4,
                   "Kernel table for IPv4 VIP routes; 254 is the main table")
        ->check(CLI::Range(1u, ~0u))
        ->capture_default_str();
    app.add_option("--route-table-v6", routes.table_v6, "Kernel table for IPv6 VIP routes")
        ->check(CLI::Range(1u, ~0u))
        ->capture_default_str();
    app.add_option("--route-protocol", route_protocol, "Protocol number that marks our routes")
        ->check(CLI::Range(5u, 255u))
        ->capture_default_str();
    app.add_option("--heartbeat-interval-ms", heartbeat_interval_ms,
                   "Time between two beats of the dataplane")
        ->check(CLI::Range(10u, 1000u))
        ->capture_default_str();
    app.add_option("--heartbeat-timeout-ms", heartbeat_timeout_ms,
                   "Silence after which the VIPs are withdrawn")
        ->check(CLI::Range(20u, 60000u))
        ->capture_default_str();
    app.add_option("--hold-ms", hold_ms, "Beats in time for this long before the VIPs are announced again")
        ->check(CLI::Range(0u, 60000u))
        ->capture_default_str();
    app.add_option("--sync-address", gateway.session.sync_address,
                   "HOST:PORT at which the dataplane takes flows from its peers, as given to the dataplane");
    app.add_option("--restart-command", restart_command,
                   "How an upgrade restarts the dataplane, run without a shell: \"systemctl restart "
                   "penstock-dataplane\"");
    add_routing_to(app);
    tls.add_to(app);
  }

  void add_routing_to(CLI::App& app) {
    app.add_option("--routing", routing.daemon, "Routing daemon: frr, bird or gobgp")
        ->check(CLI::IsMember({"frr", "bird", "gobgp"}))
        ->capture_default_str();
    app.add_option("--vtysh", routing.vtysh, "FRR's shell")->capture_default_str();
    app.add_option("--vtysh-instance", routing.vtysh_instance, "FRR's instance (its -N)");
    app.add_option("--birdc", routing.birdc, "BIRD's client")->capture_default_str();
    app.add_option("--bird-socket", routing.bird_socket, "BIRD's control socket")->capture_default_str();
    app.add_option("--bird-include", routing.bird_include,
                   "File of BIRD's configuration that is ours to write")
        ->capture_default_str();
    app.add_option("--gobgp", routing.gobgp, "gRPC API of gobgpd, HOST:PORT")->capture_default_str();
  }

  /// What single flags cannot say about themselves.
  Status finish() {
    routes.protocol = static_cast<std::uint8_t>(route_protocol);
    if (!withdraw.empty()) return Ok{};
    if (!is_valid_id(id.data(), id.size())) {
      return invalid("--id",
                     "'" + id + "' is not lower-case letters, digits and inner hyphens, 1–63 characters");
    }
    const auto colon = controlplane.rfind(':');
    if (colon == std::string::npos || colon == 0 || colon + 1 == controlplane.size()) {
      return invalid("--controlplane", "'" + controlplane + "' is not HOST:PORT");
    }
    if (heartbeat_timeout_ms < 2 * heartbeat_interval_ms) {
      return invalid("--heartbeat-timeout-ms", "must be at least twice --heartbeat-interval-ms");
    }
    auto credentials = client_credentials(controlplane, tls);
    if (!credentials) return credentials.error();
    gateway.timing.heartbeat_interval = Nanoseconds::from_millis(heartbeat_interval_ms);
    gateway.timing.heartbeat_timeout = Nanoseconds::from_millis(heartbeat_timeout_ms);
    gateway.timing.hold = Nanoseconds::from_millis(hold_ms);
    std::istringstream words(restart_command);
    gateway.restart_command.assign(std::istream_iterator<std::string>(words), {});
    gateway.session.gateway = id;
    gateway.session.target = controlplane;
    gateway.session.credentials = *credentials;
    gateway.session.tls = tls.enabled();
    gateway.session.version = PENSTOCK_VERSION;
    gateway.session.routing = routing.daemon;
    return Ok{};
  }
};

int stop_with(int code, const Error& error) {
  spdlog::error("{}", error.text());
  return code;
}

void log_events(Gateway& gateway) {
  for (const Guard::Event& event : gateway.take_events()) {
    spdlog::log(event.error ? spdlog::level::err : spdlog::level::info, "guard: {}", event.sentence);
  }
}

/// Waits for SIGTERM or SIGINT; writes what the guard has to say meanwhile.
void serve(Gateway& gateway, const sigset_t& signals) {
  const timespec slice{0, 100'000'000};
  while (sigtimedwait(&signals, nullptr, &slice) < 0) log_events(gateway);
}

/// What a supervisor runs after a process was killed: this one, or the dataplane.
int withdraw(const Flags& flags, VipRoutes& routes, RoutingDaemon& daemon) {
  if (flags.withdraw == "unless-forwarding" &&
      dataplane_forwards(flags.gateway.dataplane_socket, std::chrono::milliseconds(300))) {
    spdlog::info("the dataplane forwards: the VIP routes stay");
    return kExitOk;
  }
  auto change = withdraw_everything(routes, daemon);
  if (!change) return stop_with(kExitUnavailable, change.error());
  spdlog::info("no VIP is announced, {} routes deleted", change->deleted);
  return kExitOk;
}

int exit_code(const Error& error) {
  return error.code == ErrorCode::kPermissionDenied ? kExitNoPermission : kExitUnavailable;
}

int run(int argc, char** argv) {
  CLI::App app{"Feeds the local dataplane, announces its VIPs and withdraws them when it stops",
               "penstock-gateway"};
  Settings settings(app);
  Flags flags;
  flags.add_to(app);
  if (const auto code = settings.parse(argc, argv)) return *code;
  if (auto status = flags.finish(); !status) return stop_with(kExitUsage, status.error());

  // Before any thread exists: every thread inherits the mask, and only serve() takes the signals.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  auto daemon = make_routing_daemon(flags.routing);
  if (!daemon) return stop_with(kExitUsage, daemon.error());
  auto routes = VipRoutes::open(flags.routes);
  if (!routes) return stop_with(exit_code(routes.error()), routes.error());
  if (!flags.withdraw.empty()) return withdraw(flags, **routes, **daemon);

  auto lock = StateLock::acquire(flags.gateway.state_dir);
  if (!lock) {
    const bool taken = lock.error().code == ErrorCode::kAlreadyExists;
    return stop_with(taken ? kExitTempFail : kExitUnavailable, lock.error());
  }
  Gateway gateway(flags.gateway, std::move(*routes), std::move(*daemon));
  spdlog::info("gateway {} started: control plane {}, dataplane {}", flags.id, flags.controlplane,
               flags.gateway.dataplane_socket);
  serve(gateway, signals);
  gateway.withdraw();
  log_events(gateway);
  spdlog::info("gateway {} stopped, no VIP is announced", flags.id);
  return kExitOk;
}

}  // namespace
}  // namespace penstock

int main(int argc, char** argv) { return penstock::run(argc, argv); }
