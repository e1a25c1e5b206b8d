// The last resort of a supervisor (ExecStopPost of systemd): withdraws this host's VIPs without a running
// penstock-gateway.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "controlplane/announce/routing_daemon.h"
#include "controlplane/announce/vip_routes.h"

namespace penstock {

/// Whether a dataplane beats at this socket and runs a configuration. Waits at most this long for the beat,
/// and not at all when nobody listens.
bool dataplane_forwards(const std::string& socket_path, std::chrono::milliseconds longest);

/// Deletes every VIP route of ours, and tells a daemon that reads no routes. The routes first: an unreachable
/// daemon is an error only after they are gone.
Result<VipRoutes::Change> withdraw_everything(VipRoutes& routes, RoutingDaemon& daemon);

}  // namespace penstock
