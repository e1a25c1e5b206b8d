// A gateway's policy as the JSON document of REST and of the store:
//
//   {"id":"gw1","announce":true,"med":100,"bandwidth_mbps":10000,"bfd_profile":"fast",
//    "vips":{"203.0.113.10":{"med":200},"203.0.113.0/24":{"drain":true},"2001:db8::10":{"withhold":true}},
//    "drain_timeout_seconds":60}
//
// What is left out has its default. A request to upgrade is no policy: only the store's form has it, as
// "upgrade_request":{"id":3,"drain_timeout_seconds":60}.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "controlplane/model/desired_state.h"
#include "controlplane/model/problems.h"

namespace penstock {

/// The policy, or nothing and at least one more problem. `path` is where `document` stands in what the
/// operator sent; a VIP's fields are named "vips[203.0.113.10].med".
[[nodiscard]] std::optional<GatewayPolicy> parse_gateway(const nlohmann::json& document,
                                                         const std::string& path, Problems& problems);
[[nodiscard]] nlohmann::json to_json(const GatewayPolicy& gateway);

/// The same with the request to upgrade.
[[nodiscard]] std::optional<GatewayPolicy> parse_stored_gateway(const nlohmann::json& document,
                                                                const std::string& path, Problems& problems);
[[nodiscard]] nlohmann::json to_stored_json(const GatewayPolicy& gateway);

}  // namespace penstock
