// What was observed of a gateway, as its document shows it beside the policy.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "controlplane/stream/observed.h"

namespace penstock {

/// Adds "connected", "drain", "upgrade", "announcements", "sync" and so on to the policy in `out`. `observed`
/// is null for a gateway that never connected to this process; what a gateway has not said is null, too.
void add_observed(nlohmann::json& out, const ObservedGateway* observed);

/// Whether the gateway is in the midst of an upgrade.
[[nodiscard]] bool upgrades(const ObservedGateway& gateway);

/// "draining", "none": an enumerator of the contracts as documents and metrics show it.
[[nodiscard]] std::string phase_name(proto::GatewayDrain::Phase phase);
[[nodiscard]] std::string phase_name(proto::GatewayUpgrade::Phase phase);
/// "up", "down", "unknown"
[[nodiscard]] const char* liveness_name(proto::Liveness liveness);

}  // namespace penstock
