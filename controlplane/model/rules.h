// The rules between services: ids and VIP keys are unique, port ranges of one VIP do not overlap, no
// backend's address is a VIP or within one, and there are not too many. Within one service the parser has
// already checked everything.
#pragma once

#include <span>

#include "controlplane/model/desired_state.h"
#include "controlplane/model/problems.h"

namespace penstock {

/// Checks a whole set against itself; fields are "services[I].…". O(n log n).
void check_services(std::span<const Service> services, Problems& problems);

/// Complains of services whose policy `state` does not have; fields are "services[I].policy".
void check_policies(std::span<const Service> services, const DesiredState& state, Problems& problems);

/// What stands against putting `service` into `state`, where a service of the same id would be replaced.
/// Fields are relative to the service ("vip"). O(services + backends) of `state`, about a millisecond at full
/// size.
[[nodiscard]] Problems conflicts(const DesiredState& state, const Service& service);

/// The ids of the services of `state` that name the policy, in order.
[[nodiscard]] std::vector<std::string> users_of_policy(const DesiredState& state, std::string_view policy);

}  // namespace penstock
