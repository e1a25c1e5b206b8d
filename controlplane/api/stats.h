// /api/v1/services/{id}/stats: what the gateways last counted for one service. Counters start with each
// dataplane; those of a gateway that is gone stay in the sum, so that it does not jump. The flows that a
// backend has now, whether it lives, how loaded and how much admitted it is are what the connected gateways
// say; "verdict" is the fleet's (health.h).
#pragma once

#include "controlplane/api/router.h"
#include "controlplane/store/desired.h"
#include "controlplane/stream/streams.h"

namespace penstock {

/// Both outlive the router. Handlers run on the thread that owns `desired`.
void add_stats_routes(Router& router, const Desired& desired, const Streams& streams);

}  // namespace penstock
