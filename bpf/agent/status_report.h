// What the decapsulation program counts, as NodeStatus says it. load_tick adds what is known of load.
#pragma once

#include "bpf/agent/decap_program.h"
#include "bpf/agent/directive.h"
#include "penstock/proto/node.pb.h"

namespace penstock {

/// `in_force` may be null: no directive yet.
void fill_status(proto::NodeStatus& status, const DecapProgram& program, const NodeServices* in_force);

}  // namespace penstock
