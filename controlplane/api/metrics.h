// /metrics in the Prometheus text format 0.0.4, of the gateways and nodes that are connected now.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "controlplane/stream/observed.h"

namespace penstock {

[[nodiscard]] std::string metrics_text(std::uint64_t generation, const std::vector<ObservedGateway>& gateways,
                                       const std::vector<ObservedNode>& nodes);

}  // namespace penstock
