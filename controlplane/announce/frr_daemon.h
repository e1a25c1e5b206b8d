// FRR, by vtysh: link bandwidth in the outbound route-maps, BFD profile of the routers' peer group. The names
// are those of scripts/frr/gateway.conf.in. Nothing is written to its configuration file.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "controlplane/announce/routing_daemon.h"

namespace penstock {

std::unique_ptr<RoutingDaemon> make_frr_daemon(const RoutingOptions& options);

/// The configuration commands that take FRR from `running_config` (of "show running-config") to `link`; none
/// when it is there. FailedPrecondition when a route-map or the peer group is missing.
Result<std::vector<std::string>> frr_commands(const std::string& running_config, const LinkPolicy& link);

}  // namespace penstock
