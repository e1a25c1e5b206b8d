// What the weight loop thinks, as one value: what REST, metrics and a history are told. Immutable once
// shared, any thread. The plan's positions are those of the fleet: services, backends and nodes by
// ServiceIndex, PlacementIndex and NodeIndex.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "controlplane/load/planner.h"
#include "penstock/base/units.h"

namespace penstock {

struct WeightSnapshot {
  std::uint64_t epoch = 0;  // of the configuration that was planned for
  std::uint64_t generation = 0;
  Nanoseconds planned_at;      // monotonic_now()
  std::uint64_t unix_ms = 0;   // the same moment
  double step_seconds = 0;     // what planning took
  std::uint64_t version = 0;   // of the weights that gateways were told last; 0: none ever
  std::uint32_t gateways = 0;  // connected ones that take weights
  std::uint32_t in_force = 0;  // those of them whose dataplane has said that it uses this version
  // Never null; empty, as the plan is, while every service is static: nothing is planned then.
  std::shared_ptr<const load::PlannerFleet> fleet = std::make_shared<load::PlannerFleet>();
  load::Plan plan;

  /// kNone when it is not planned for.
  [[nodiscard]] load::ServiceIndex find(std::string_view service) const {
    for (std::size_t i = 0; i < fleet->services.size(); ++i) {
      if (fleet->services[i].id == service) return static_cast<load::ServiceIndex>(i);
    }
    return load::kNone;
  }
};

}  // namespace penstock
