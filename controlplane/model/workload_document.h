// What a service's document says for the sake of its weights:
//
//   "workload":{"class":"latency-sensitive","priority":2,"latency_objective_ms":20}
//   "affinity":{"zone":"a","zone_strict":false,"labels":{"disk":"nvme"}}
//
// "class" is auto, latency-sensitive, throughput or batch. "affinity" also holds what keeps a client's flows
// together (service_options.h): its reader is shared.
#pragma once

#include <nlohmann/json.hpp>

#include "controlplane/model/object_reader.h"
#include "controlplane/model/weight_policy.h"

namespace penstock {

/// The member of `service`, or the default when it is missing.
[[nodiscard]] Workload parse_workload(ObjectReader& service, Problems& problems);
/// The members "zone", "zone_strict" and "labels" of `affinity`.
[[nodiscard]] Preference parse_preference(ObjectReader& affinity, Problems& problems);

/// Only what differs from the default.
[[nodiscard]] nlohmann::json to_json(const Workload& workload);
void add_to_json(nlohmann::json& affinity, const Preference& preference);

}  // namespace penstock
