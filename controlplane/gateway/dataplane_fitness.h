// Whether a restarted dataplane may take traffic again: what its statistics must show beside its beats.
#pragma once

#include <set>
#include <string>

#include "controlplane/gateway/config_id.h"
#include "penstock/base/units.h"
#include "penstock/proto/dataplane.pb.h"

namespace penstock {

/// Services that have a backend whose next hop is known: packets can leave.
std::set<std::string> forwarding_services(const proto::DataplaneStats& stats);

/// Packets for VIPs, whatever became of them; and flow entries and NAT sessions.
std::uint64_t vip_packets(const proto::DataplaneStats& stats);
std::uint64_t flows_left(const proto::DataplaneStats& stats);

/// Empty, or what is missing, as a sentence: another process than the one that was to be replaced (it is
/// younger than `since_restart`; zero: not asked), the configuration, and the services that forwarded before.
std::string missing_for_traffic(const proto::DataplaneStats& stats, ConfigId wanted,
                                const std::set<std::string>& forwarded_before, Nanoseconds since_restart);

}  // namespace penstock
