// /api/v1/nodes and /nodes/{id}: GET. Nodes are observed, never configured.
#pragma once

#include "controlplane/api/router.h"
#include "controlplane/stream/streams.h"

namespace penstock {

/// `streams` outlives the router. Any thread.
void add_node_routes(Router& router, const Streams& streams);

}  // namespace penstock
