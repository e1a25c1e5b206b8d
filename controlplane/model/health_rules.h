// What a service's health demands of the rest of the service, and the other way round.
#pragma once

#include <string>

#include "controlplane/model/desired_state.h"
#include "controlplane/model/problems.h"

namespace penstock {

/// `path` is where the service stands in what the operator sent, "services[3]" or empty.
void check_health(const Service& service, const std::string& path, Problems& problems);

}  // namespace penstock
