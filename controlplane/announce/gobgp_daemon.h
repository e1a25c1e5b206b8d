// GoBGP, by its gRPC API (apipb.GobgpApi, GoBGP 3): one local path per VIP with MED, graceful-shutdown
// community and link bandwidth. GoBGP has no BFD, so a profile makes no difference.
//
// gobgpd on a gateway belongs to Penstock: every local IPv4 or IPv6 unicast path in its global table counts
// as ours, is adopted by a restarted agent, and is deleted when it announces nothing that is wanted. A
// changed path replaces the former in one step.
#pragma once

#include <memory>

#include "controlplane/announce/routing_daemon.h"

namespace penstock {

std::unique_ptr<RoutingDaemon> make_gobgp_daemon(const RoutingOptions& options);

}  // namespace penstock
