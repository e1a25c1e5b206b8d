// Why the backends of a service have their weights, as JSON. What is not known is null.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

#include "controlplane/load/weight_history.h"
#include "controlplane/model/desired_state.h"
#include "controlplane/stream/weight_snapshot.h"

namespace penstock {

/// What the fleet's dataplanes use for a backend by `snapshot`, or what is configured when it is not planned
/// for. `weight` is 0 when a drain takes it out.
struct BackendWeight {
  const load::Explanation* planned = nullptr;  // null: by configuration alone
  std::uint32_t weight = 0;
};

/// Parallel to the service's backends.
[[nodiscard]] std::vector<BackendWeight> backend_weights(const Service& service,
                                                         const WeightSnapshot& snapshot);

/// `policy` is the service's.
[[nodiscard]] nlohmann::json explain_weights(const Service& service, const WeightPolicy& policy,
                                             const WeightSnapshot& snapshot);

[[nodiscard]] nlohmann::json to_json(const load::WeightInstant& instant);

}  // namespace penstock
