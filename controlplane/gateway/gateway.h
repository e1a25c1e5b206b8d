// The parts of penstock-gateway put together, so that main() has only a command line to read and tests can
// run the whole.
//
//   control plane ⇄ ControlSession ─directive─► DataplaneFeed ─config, peers─► dataplane
//           │ FleetHealth                             │ VIPs, orders                │ beats
//           ├─► FleetRelay ─► dataplane               │                             │
//   weights └─► WeightRelay ─► dataplane              │                             │
//                                               Conductor ─VIPs wanted─► Guard ◄──┘
//                                                                          ├─► VipRoutes ─► kernel
//                                                                          └─► RoutingWorker ─► routing
//                                                                          daemon
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controlplane/announce/routing_worker.h"
#include "controlplane/announce/vip_routes.h"
#include "controlplane/gateway/beat_reader.h"
#include "controlplane/gateway/conductor.h"
#include "controlplane/gateway/control_session.h"
#include "controlplane/gateway/dataplane_client.h"
#include "controlplane/gateway/dataplane_feed.h"
#include "controlplane/gateway/fleet_relay.h"
#include "controlplane/gateway/guard.h"
#include "controlplane/gateway/last_good.h"
#include "controlplane/gateway/weight_relay.h"

namespace penstock {

struct GatewayOptions {
  ControlSession::Options session;
  std::string dataplane_socket = "/run/penstock/dataplane.sock";
  std::string state_dir = "/var/lib/penstock/gateway";
  std::vector<std::string> restart_command;  // of the dataplane, for upgrades; empty: none
  GuardTiming timing;
};

class Gateway {
 public:
  /// Starts everything. routes: opened in the namespace of the announcements.
  Gateway(const GatewayOptions& options, std::unique_ptr<VipRoutes> routes,
          std::unique_ptr<RoutingDaemon> daemon);
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;
  /// Ends everything and leaves the routes.
  ~Gateway();

  /// Withdraws the routes at once; the destructor does the rest.
  void withdraw() { guard_.stop(Guard::Leave::kNothing); }

  [[nodiscard]] std::vector<Guard::Event> take_events() { return guard_.take_events(); }
  [[nodiscard]] Guard::Snapshot guard() const { return guard_.snapshot(); }

 private:
  void take(proto::GatewayDirective directive);
  [[nodiscard]] proto::GatewayStatus status();
  [[nodiscard]] std::optional<proto::BackendLoads> loads();

  LastGood last_good_;
  DataplaneClient feed_client_;
  DataplaneClient stats_client_;
  DataplaneClient conductor_client_;
  DataplaneClient fleet_client_;
  DataplaneClient weights_client_;
  RoutingWorker routing_;
  Guard guard_;
  Conductor conductor_;
  FleetRelay fleet_;
  WeightRelay weights_;
  // The session and the feed call each other: the session is made first, started last and stopped first.
  ControlSession session_;
  DataplaneFeed feed_;
  BeatReader beats_;
};

}  // namespace penstock
