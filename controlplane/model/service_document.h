// Services and backends as the JSON documents of REST and of the store.
//
//   {"id":"web","vip":"203.0.113.10","protocol":"tcp","port":80,"encap":"gue","table_size":0,
//    "idle_timeouts":{"tcp_syn_seconds":10,…},
//    "backends":[{"id":"be1","address":"10.0.31.2","weight":1,"drain":false}]}
//
// "vip" may be a prefix, "203.0.113.0/24"; "port" a range, "8000-8999", or "*"; "protocol" tcp, udp, sctp or
// any; "encap" gue, ipip, gre, vxlan, l2dsr or nat. A backend may have "port" (nat), "mac" (vxlan) and
// "quic_server_id" (hexadecimal); a drained one "drain_deadline" (RFC 3339) and "drain_policy", keep or
// reset; "maintenance":true takes one out. "forwarding", "affinity" and "quic" are service_options.h;
// "one_shot":true makes a UDP service do without flow entries; "second_chance" is tcp, off or tcp+udp;
// "health" is health_document.h, "workload" and what of "affinity" concerns weights workload_document.h;
// "policy" is the id of one (policy_document.h), and "weight_override" of a backend stands above what it
// decides. What is left out has its default and is left out again.
//
// Parsing checks all that can be known from the one document; what depends on other services is rules.h.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "controlplane/model/desired_state.h"
#include "controlplane/model/problems.h"
#include "controlplane/model/service_options.h"
#include "penstock/config/limits.h"

namespace penstock {

/// The value, or nothing and at least one more problem. `path` is where `document` stands in what the
/// operator sent, "services[3]" or empty; every problem's field starts with it. `before` is the service that
/// this one replaces: a QUIC key that is given by its fingerprint is taken over from it.
[[nodiscard]] std::optional<Service> parse_service(const nlohmann::json& document, const std::string& path,
                                                   Problems& problems, const Service* before = nullptr);
[[nodiscard]] std::optional<Backend> parse_backend(const nlohmann::json& document, const std::string& path,
                                                   Problems& problems);

/// {"services":[…]}: a whole set, also checked against itself (rules.h). An empty list is a valid set.
/// `before` holds the services that it replaces, and the policies that it may name.
[[nodiscard]] std::optional<std::vector<Service>> parse_services(const nlohmann::json& document,
                                                                 Problems& problems,
                                                                 const DesiredState* before = nullptr);

[[nodiscard]] nlohmann::json to_json(const Service& service, Secrets secrets = Secrets::kHidden);
[[nodiscard]] nlohmann::json to_json(const Backend& backend);

}  // namespace penstock
