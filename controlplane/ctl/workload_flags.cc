#include "controlplane/ctl/workload_flags.h"

#include <utility>

#include "controlplane/ctl/durations.h"

namespace penstock {

Status add_workload(Json& service, Json& affinity, const WorkloadFlags& flags) {
  if (flags.policy) service["policy"] = *flags.policy;
  Json workload = Json::object();
  if (flags.work) workload["class"] = *flags.work;
  if (flags.priority) workload["priority"] = *flags.priority;
  if (flags.latency_objective) {
    auto objective = milliseconds_from_text("--latency-objective", *flags.latency_objective);
    if (!objective) return objective.error();
    workload["latency_objective_ms"] = *objective;
  }
  if (!workload.empty()) service["workload"] = std::move(workload);
  if (flags.zone) affinity["zone"] = *flags.zone == "none" ? Json(nullptr) : Json(*flags.zone);
  if (flags.zone_strict) affinity["zone_strict"] = *flags.zone_strict;
  for (const std::string& text : flags.labels) {
    const auto equals = text.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return invalid("--prefer", "'" + text + "' is not NAME=VALUE, as in disk=nvme");
    }
    const std::string value = text.substr(equals + 1);
    affinity["labels"][text.substr(0, equals)] = value.empty() ? Json(nullptr) : Json(value);
  }
  return Ok{};
}

}  // namespace penstock
