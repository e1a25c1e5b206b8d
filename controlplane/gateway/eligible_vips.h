// Which VIPs a configuration gives a reason to announce.
#pragma once

#include <set>

#include "penstock/config/vip_prefix.h"
#include "penstock/proto/config.pb.h"

namespace penstock {

/// A VIP or VIP prefix with at least one service that has a backend, drained or of weight 0 as it may be: its
/// established flows still need the gateway, and a drain that broke them would be none.
std::set<VipPrefix> eligible_vips(const proto::DataplaneConfig& config);

}  // namespace penstock
