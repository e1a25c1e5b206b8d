// /metrics in the Prometheus text format 0.0.4, of the gateways and nodes that are connected now.
#pragma once

#include <string>
#include <vector>

#include "controlplane/health/health_snapshot.h"
#include "controlplane/model/desired_state.h"
#include "controlplane/stream/observed.h"

namespace penstock {

[[nodiscard]] std::string metrics_text(const DesiredState& state,
                                       const std::vector<ObservedGateway>& gateways,
                                       const std::vector<ObservedNode>& nodes, const HealthSnapshot& health);

}  // namespace penstock
