// /api/v1/health: all services in short, the nodes that are not up, and what changed lately;
// /api/v1/services/{id}/health: the fleet's verdict on each backend and what it is made of. GET only: health
// is observed, never configured.
#pragma once

#include "controlplane/api/router.h"
#include "controlplane/store/desired.h"
#include "controlplane/stream/streams.h"

namespace penstock {

/// Both outlive the router. Handlers run on the thread that owns `desired`.
void add_health_routes(Router& router, const Desired& desired, const Streams& streams);

}  // namespace penstock
