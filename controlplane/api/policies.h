// /api/v1/policies: GET, POST; …/{id}: GET, PUT, PATCH, DELETE. Built-in ones are shown and never change; one
// that a service names is not deleted.
#pragma once

#include "controlplane/api/router.h"
#include "controlplane/store/desired.h"

namespace penstock {

/// `desired` outlives the router. Handlers run on the thread that owns it.
void add_policy_routes(Router& router, Desired& desired);

}  // namespace penstock
