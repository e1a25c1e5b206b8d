#include "controlplane/api/maintenance.h"

#include "controlplane/api/node_backends.h"
#include "controlplane/api/resource.h"

namespace penstock {

void add_node_maintenance_routes(Router& router, Desired& desired, const Streams& streams) {
  for (const auto& [method, wanted] : {std::pair(Method::kPost, true), std::pair(Method::kDelete, false)}) {
    router.add(method, "/api/v1/nodes/{id}/maintenance",
               [&desired, &streams, maintenance = wanted](const HttpRequest& request, Router::Captures c) {
                 if (auto unexpected = unexpected_body(request)) return *unexpected;
                 return change_backends_of_node(desired, streams, c[0], [maintenance](Backend& backend) {
                   backend.maintenance = maintenance;
                 });
               });
  }
}

}  // namespace penstock
