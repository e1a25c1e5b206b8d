// /api/v1/services: GET, POST, PUT (the whole set at once, {"services":[…]}); /services/{id}: GET, PUT,
// PATCH, DELETE.
#pragma once

#include "controlplane/api/router.h"
#include "controlplane/store/desired.h"

namespace penstock {

/// `desired` outlives the router. Handlers run on the thread that owns it.
void add_service_routes(Router& router, Desired& desired);

/// Checks `service` against the other services and writes it: the answer with `status` and the document, or
/// 409, 503.
[[nodiscard]] HttpResponse put_service(Desired& desired, Service service, unsigned status);

/// 404: "there is no service 'web'".
[[nodiscard]] HttpResponse no_service(const std::string& id);

}  // namespace penstock
