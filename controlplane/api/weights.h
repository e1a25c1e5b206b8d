// GET /api/v1/services/{id}/weights:explain and …/weights/history?from=&to=&limit=. Times of history are Unix
// seconds, or seconds before now when negative.
#pragma once

#include "controlplane/api/router.h"
#include "controlplane/store/desired.h"
#include "controlplane/stream/weight_board.h"

namespace penstock {

/// Both outlive the router. Handlers run on the thread that owns `desired`.
void add_weight_routes(Router& router, Desired& desired, const WeightBoard& board);

}  // namespace penstock
