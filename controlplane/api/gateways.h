// /api/v1/gateways: GET; /gateways/{id}: GET, PUT, PATCH, DELETE, POST …/drain, …/undrain and …/upgrade. A
// gateway is known because it was configured or because it connected; its policy (gateway_document.h) is
// configuration, all else is observed.
#pragma once

#include "controlplane/api/router.h"
#include "controlplane/store/desired.h"
#include "controlplane/stream/streams.h"

namespace penstock {

/// Both outlive the router. Handlers run on the thread that owns `desired`.
void add_gateway_routes(Router& router, Desired& desired, Streams& streams);

}  // namespace penstock
