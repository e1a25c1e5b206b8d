// A policy: what a service's weights are for. REST objects `policies`; a service names one.
#pragma once

#include <cstdint>
#include <string>

#include "controlplane/load/solver.h"

namespace penstock::load {

enum class PolicyKind : std::uint8_t { kStatic, kLeastLoad, kLatency, kCost, kEnergy, kCustom };

/// The objective that a kind stands for; kCustom: all zero but balance.
[[nodiscard]] Objective objective_of(PolicyKind kind);

}  // namespace penstock::load
