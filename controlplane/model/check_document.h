// One check of a service's health document:
//
//   {"name":"http","type":"http","port":8080,"path":"/healthz","host":"x","method":"GET",
//    "statuses":"200-299,301","body_contains":"ok","headers":{"X-Role":"primary"},"verify_tls":true,
//    "grpc_service":"","send":"hex","expect":"hex","script":"name",
//    "interval_ms":1000,"timeout_ms":500,"rise":2,"fall":3}
//
// "type" is tcp, http, https, grpc, udp or script, and alone is needed but for the script's name. What is
// left out has its default and is left out again: "name" that of the type, "timeout_ms" half a second, or the
// interval when that is shorter.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "controlplane/model/health.h"
#include "controlplane/model/problems.h"

namespace penstock {

/// All that can be known from the checks alone is checked; what depends on their service is health_rules.h.
/// `path` is where `list` stands, "health.checks". A check that is refused is left out of the result.
[[nodiscard]] std::vector<Check> parse_checks(const nlohmann::json& list, const std::string& path,
                                              Problems& problems);

[[nodiscard]] nlohmann::json to_json(const Check& check);

}  // namespace penstock
