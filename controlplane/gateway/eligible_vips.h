// Which VIPs a configuration gives a reason to announce.
#pragma once

#include <set>

#include "penstock/net/addr.h"
#include "penstock/proto/config.pb.h"

namespace penstock {

/// A VIP with at least one service that has a backend for new flows: weight above 0 and not drained. One such
/// service is enough, as withdrawing the VIP would take its other services down with it.
std::set<IpAddr> eligible_vips(const proto::DataplaneConfig& config);

}  // namespace penstock
