// The desired state as the planner sees it: services with their policies, backends as placements on nodes,
// and what the nodes' agents say that they are. Pure.
//
// A backend lives on the node whose agent named its address, or on a node of its own that is known by the
// address. Agents tell money by their measurements of price, and power by the labels "idle-watts" and
// "busy-watts": what the node draws when idle, and how much more when busy.
#pragma once

#include <functional>
#include <span>

#include "controlplane/load/planner.h"
#include "controlplane/model/desired_state.h"
#include "controlplane/stream/load_observation.h"
#include "controlplane/stream/observed.h"
#include "penstock/proto/dataplane.pb.h"

namespace penstock {

struct PlannedFleet {
  load::PlannerFleet fleet;
  LoadObservation::Places places;
  std::vector<AgentLoad> agents;  // of connected nodes that have reported; the nodes given outlive it
};

/// Whether any service has a policy other than static.
[[nodiscard]] bool has_moving_weights(const DesiredState& state);

/// All services, the static ones too: they load the same nodes. usable: whether the backend, by its place in
/// the service, is fit for new flows by its health; drains and maintenance come on top.
[[nodiscard]] PlannedFleet planned_fleet(const DesiredState& state, std::span<const ObservedNode> nodes,
                                         const std::function<bool(const Service&, std::size_t)>& usable);

/// Same nodes, services and backends in every respect.
[[nodiscard]] bool same_fleet(const load::PlannerFleet& a, const load::PlannerFleet& b);

/// The plan's weights as gateways are told; version 0. A service whose every weight is 0 keeps its configured
/// ones: what becomes of it is for its rules of health to say, not for the loop.
[[nodiscard]] proto::UpdateWeightsRequest weights_of(const load::PlannerFleet& fleet, const load::Plan& plan);

}  // namespace penstock
