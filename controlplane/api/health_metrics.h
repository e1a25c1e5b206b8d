// The metric families of health and load: the fleet's verdicts, what each gateway makes of a backend, what
// nodes measure of themselves and of their services. What was not measured has no sample.
#pragma once

#include <string>
#include <vector>

#include "controlplane/health/health_snapshot.h"
#include "controlplane/stream/observed.h"

namespace penstock {

/// Each appends to `out`; of gateways and nodes what those that are connected last said.
void verdict_families(std::string& out, const HealthSnapshot& health);
void backend_health_families(std::string& out, const std::vector<ObservedGateway>& gateways);
void load_families(std::string& out, const std::vector<ObservedNode>& nodes);
void telemetry_families(std::string& out, const std::vector<ObservedNode>& nodes);

}  // namespace penstock
