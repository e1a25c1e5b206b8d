// BIRD, by an include file of its configuration and `birdc configure`: link bandwidth and BFD timing. The
// names are those of scripts/bird/gateway.conf.in. BGP sessions stay up over all of it.
#pragma once

#include <memory>
#include <string>

#include "controlplane/announce/routing_daemon.h"

namespace penstock {

std::unique_ptr<RoutingDaemon> make_bird_daemon(const RoutingOptions& options);

/// The whole include file.
std::string bird_include_text(const LinkPolicy& link);

}  // namespace penstock
