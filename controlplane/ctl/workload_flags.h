// What `set service` takes about policy and work of a service on the command line.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "controlplane/ctl/rest_client.h"

namespace penstock {

/// What is not given stays as it is.
struct WorkloadFlags {
  std::optional<bool> zone_strict;
  std::optional<std::string> policy, work;  // ids and names as in documents
  std::optional<double> priority;
  std::optional<std::string> latency_objective;  // milliseconds_from_text()
  std::optional<std::string> zone;               // or "none"
  std::vector<std::string> labels;               // "NAME=VALUE"; "NAME=" takes it back
};

/// Adds what was given to the merge patch of a service, and to that of its member "affinity".
[[nodiscard]] Status add_workload(Json& service, Json& affinity, const WorkloadFlags& flags);

}  // namespace penstock
