// What a worker reads that other threads write while packets flow, beside the snapshots.
#pragma once

#include "dataplane/config/backend_states.h"
#include "dataplane/flow/foreign_flows.h"

namespace penstock {

/// Null: nobody reports. What is not null outlives the pipeline.
struct Reports {
  const BackendStates* states = nullptr;  // from this gateway's probes
  const ForeignFlows* foreign = nullptr;  // from the other gateways
};

}  // namespace penstock
