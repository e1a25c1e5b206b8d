// Services, backends and gateway policies as the JSON documents of REST and of the store.
//
//   {"id":"web","vip":"203.0.113.10","protocol":"tcp","port":80,"encap":"gue","table_size":0,
//    "idle_timeouts":{"tcp_syn_seconds":10,…},
//    "backends":[{"id":"be1","address":"10.0.31.2","weight":1,"drain":false}]}
//
// Parsing checks all that can be known from the one document; what depends on other services is rules.h.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "controlplane/model/desired_state.h"
#include "controlplane/model/problems.h"
#include "penstock/config/limits.h"

namespace penstock {

/// The value, or nothing and at least one more problem. `path` is where `document` stands in what the
/// operator sent, "services[3]" or empty; every problem's field starts with it.
[[nodiscard]] std::optional<Service> parse_service(const nlohmann::json& document, const std::string& path,
                                                   Problems& problems);
[[nodiscard]] std::optional<Backend> parse_backend(const nlohmann::json& document, const std::string& path,
                                                   Problems& problems);
[[nodiscard]] std::optional<GatewayPolicy> parse_gateway(const nlohmann::json& document,
                                                         const std::string& path, Problems& problems);

/// {"services":[…]}: a whole set, also checked against itself (rules.h). An empty list is a valid set.
[[nodiscard]] std::optional<std::vector<Service>> parse_services(const nlohmann::json& document,
                                                                 Problems& problems);

/// Checks what parse_service checks about the backends together: at least one, ids and addresses unique,
/// their number. For a service that was assembled rather than parsed.
void check_backends(const Service& service, const std::string& path, Problems& problems);

[[nodiscard]] nlohmann::json to_json(const Service& service);
[[nodiscard]] nlohmann::json to_json(const Backend& backend);
[[nodiscard]] nlohmann::json to_json(const GatewayPolicy& gateway);

}  // namespace penstock
