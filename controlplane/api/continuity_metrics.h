// The metric families of what keeps connections whole: flows left at drained backends, liveness, probes,
// drains and upgrades of gateways, replication between them, and second chances at the nodes.
#pragma once

#include <string>
#include <vector>

#include "controlplane/model/desired_state.h"
#include "controlplane/stream/observed.h"

namespace penstock {

/// Each appends to `out` what the connected gateways or nodes last said.
void flow_families(std::string& out, const DesiredState& state, const std::vector<ObservedGateway>& gateways);
void probe_families(std::string& out, const std::vector<ObservedGateway>& gateways);
void announcement_families(std::string& out, const std::vector<ObservedGateway>& gateways);
void sync_families(std::string& out, const std::vector<ObservedGateway>& gateways);
void hop_families(std::string& out, const std::vector<ObservedNode>& nodes);

}  // namespace penstock
