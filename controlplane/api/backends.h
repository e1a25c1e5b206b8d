// /api/v1/services/{id}/backends: GET, POST; …/backends/{backend}: GET, PUT, PATCH, DELETE, POST …/drain and
// …/undrain. A backend lives in its service's document, so every write here replaces the service as a whole.
#pragma once

#include "controlplane/api/router.h"
#include "controlplane/store/desired.h"

namespace penstock {

/// `desired` outlives the router. Handlers run on the thread that owns it.
void add_backend_routes(Router& router, Desired& desired);

}  // namespace penstock
