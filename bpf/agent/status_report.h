// What the decapsulation program counts, as NodeStatus says it. load_tick adds what is known of load.
#pragma once

#include <vector>

#include "bpf/agent/decap_program.h"
#include "penstock/proto/node.pb.h"

namespace penstock {

/// Returns the keys of status.services(), in their order.
std::vector<VipKey> fill_status(proto::NodeStatus& status, const DecapProgram& program);

}  // namespace penstock
