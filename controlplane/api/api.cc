#include "controlplane/api/api.h"

#include <algorithm>
#include <utility>

#include "controlplane/api/backends.h"
#include "controlplane/api/drains.h"
#include "controlplane/api/gateways.h"
#include "controlplane/api/health.h"
#include "controlplane/api/maintenance.h"
#include "controlplane/api/metrics.h"
#include "controlplane/api/nodes.h"
#include "controlplane/api/policies.h"
#include "controlplane/api/resource.h"
#include "controlplane/api/services.h"
#include "controlplane/api/stats.h"
#include "controlplane/api/weight_metrics.h"
#include "controlplane/api/weights.h"

namespace penstock {
namespace {

template <class Observed>
std::size_t connected(const std::vector<Observed>& peers) {
  return static_cast<std::size_t>(
      std::count_if(peers.begin(), peers.end(), [](const Observed& p) { return p.connected; }));
}

}  // namespace

Api::Api(Desired& desired, Streams& streams, std::string version) {
  add_service_routes(router_, desired);
  add_backend_routes(router_, desired);
  add_policy_routes(router_, desired);
  add_weight_routes(router_, desired, streams.weights());
  add_stats_routes(router_, desired, streams);
  add_health_routes(router_, desired, streams);
  add_gateway_routes(router_, desired, streams);
  add_node_routes(router_, streams);
  add_node_drain_routes(router_, desired, streams);
  add_node_maintenance_routes(router_, desired, streams);
  router_.add(Method::kGet, "/api/v1/status",
              [&desired, &streams, version = std::move(version)](const HttpRequest&, Router::Captures) {
                return json_response(200, {{"version", version},
                                           {"generation", desired.now()->generation},
                                           {"epoch", desired.now()->epoch},
                                           {"gateways_connected", connected(streams.gateways())},
                                           {"nodes_connected", connected(streams.nodes())}});
              });
  router_.add(Method::kGet, "/metrics", [&](const HttpRequest&, Router::Captures) {
    std::string text = metrics_text(*desired.now(), streams.gateways(), streams.nodes(), *streams.health());
    weight_families(text, *desired.now(), *streams.weights().now());
    return HttpResponse{200, "text/plain; version=0.0.4; charset=utf-8", std::move(text), {}};
  });
  router_.add(Method::kGet, "/healthz", [](const HttpRequest&, Router::Captures) {
    return HttpResponse{200, "text/plain", "ok", {}};
  });
}

}  // namespace penstock
