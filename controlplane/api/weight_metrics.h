// What /metrics says of weights: the control law of each service, and each backend's weight.
#pragma once

#include <string>

#include "controlplane/model/desired_state.h"
#include "controlplane/stream/weight_snapshot.h"

namespace penstock {

void weight_families(std::string& out, const DesiredState& state, const WeightSnapshot& snapshot);

}  // namespace penstock
