// The "health" of a service document:
//
//   {"checks":[…],"direct":"auto","rise":2,"fall":3,"hold_ms":2000,"max_hold_ms":60000,
//    "all_down":"use_all","panic_percent":0,
//    "hot":{"enabled":true,"response_ms":0,"queue_percent":50,"utilization_percent":90},
//    "breaker":{"enabled":true,"failure_percent":0,"latency_factor":10,"probe_loss_percent":60,
//               "open_ms":5000,"half_open_percent":5,"max_open_percent":50},
//    "slow_start":{"duration_ms":10000,"initial_percent":10,"exponent":1}}
//
// "direct" is auto, off or always; "all_down" use_all, reset or drop; a check is check_document.h. What is
// left out has its default and is left out again; that of "max_hold_ms" is at least "hold_ms".
#pragma once

#include <nlohmann/json.hpp>

#include "controlplane/model/health.h"
#include "controlplane/model/object_reader.h"

namespace penstock {

/// The member "health" of `service`, or the default when it is missing. Whether it suits the rest of the
/// service is health_rules.h.
[[nodiscard]] Health parse_health(ObjectReader& service, Problems& problems);

/// Only what differs from the default; an empty object for the default itself.
[[nodiscard]] nlohmann::json to_json(const Health& health);

}  // namespace penstock
