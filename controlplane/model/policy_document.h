// A policy as the JSON document of REST and of the store:
//
//   {"id":"thrifty","kind":"custom","coefficients":{"balance":0.1,"latency":1,"money":2,"energy":0},
//    "min_share":0.01,"max_share":0.5,"budget_per_hour":12.5,"deadband":0.01,"slew":0.2,"min_awake":2}
//
// "kind" is static, least-load, latency, cost, energy or custom. Shares are fractions of a service's new
// flows for each of its backends; "deadband" is a fraction of a weight, "slew" the most that its natural
// logarithm changes in a second. What is left out has its default and is left out again; coefficients that
// are left out are 0.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "controlplane/model/problems.h"
#include "controlplane/model/weight_policy.h"

namespace penstock {

/// The policy, or nothing and at least one more problem. `path` is where `document` stands in what the
/// operator sent. An id of a built-in policy is refused.
[[nodiscard]] std::optional<WeightPolicy> parse_policy(const nlohmann::json& document,
                                                       const std::string& path, Problems& problems);
[[nodiscard]] nlohmann::json to_json(const WeightPolicy& policy);

}  // namespace penstock
