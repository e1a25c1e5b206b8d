// What the fields of one service demand of each other. The parser checks each field, rules.h the services
// together.
#pragma once

#include <string>

#include "controlplane/model/desired_state.h"
#include "controlplane/model/problems.h"

namespace penstock {

/// The service without its backends: what its protocol and its encapsulation allow. `path` is where the
/// service stands in what the operator sent, "services[3]" or empty.
void check_options(const Service& service, const std::string& path, Problems& problems);

/// The backends together and against their service: at least one, ids and addresses unique, their number, and
/// what the encapsulation and QUIC need of them.
void check_backends(const Service& service, const std::string& path, Problems& problems);

}  // namespace penstock
