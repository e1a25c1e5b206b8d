// Maintenance of nodes: POST and DELETE of /api/v1/nodes/{id}/maintenance put all backends that live there
// into maintenance, and take them out of it. That of one backend is backends.h.
#pragma once

#include "controlplane/api/router.h"
#include "controlplane/store/desired.h"
#include "controlplane/stream/streams.h"

namespace penstock {

void add_node_maintenance_routes(Router& router, Desired& desired, const Streams& streams);

}  // namespace penstock
