// All policies by name, for benches and experiments.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "controlplane/simulation/policy.h"

namespace penstock::simulation {

/// In the order of tables: what knows least first.
[[nodiscard]] std::span<const std::string_view> policy_names();

/// With its usual settings; null if there is no such policy.
[[nodiscard]] std::unique_ptr<Policy> make_policy(std::string_view name);

}  // namespace penstock::simulation
