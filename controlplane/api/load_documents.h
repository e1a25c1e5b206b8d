// Loads, telemetry and checks as documents show them. What was not measured is not there; an age counts from
// now, so that the values of an agent or a gateway that fell silent visibly age.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>

#include "penstock/base/units.h"
#include "penstock/proto/dataplane.pb.h"
#include "penstock/proto/node.pb.h"

namespace penstock {

/// received: monotonic_now() when the report that holds it came.
[[nodiscard]] nlohmann::json to_json(const proto::BackendLoad& load, Nanoseconds received);
[[nodiscard]] nlohmann::json to_json(const proto::NodeLoad& load, Nanoseconds received);
[[nodiscard]] nlohmann::json to_json(const proto::ServiceTelemetry& telemetry, Nanoseconds received);

using Checks = google::protobuf::RepeatedPtrField<proto::CheckStatus>;
[[nodiscard]] nlohmann::json to_json(const Checks& checks, Nanoseconds received);

}  // namespace penstock
