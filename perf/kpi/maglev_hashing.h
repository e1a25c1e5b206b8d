// The simulator's gateways choose backends by the same Maglev tables as the dataplane's.
#pragma once

#include "controlplane/simulation/hashing.h"

namespace penstock::kpi {

/// A HashingFactory. Tables have the dataplane's size for as many backends; what does not fit its limits ends
/// the program, for scenarios are ours.
[[nodiscard]] std::unique_ptr<simulation::FlowHashing> make_maglev_hashing(
    std::span<const std::uint32_t> configured);

}  // namespace penstock::kpi
