#include "controlplane/api/stats.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "controlplane/api/backend_health.h"
#include "controlplane/api/gateway_status.h"
#include "controlplane/api/observed_walk.h"
#include "controlplane/api/resource.h"
#include "controlplane/api/services.h"

namespace penstock {
namespace {

using nlohmann::json;

struct Counters {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  std::uint64_t new_flows = 0;
  std::uint64_t flows = 0;         // now, where a gateway is there to say so
  json liveness = json::object();  // by gateway, likewise
  BackendHealthSummary health;     // likewise

  void add(const ObservedGateway& gateway, const proto::BackendStats& stats) {
    packets += stats.packets();
    bytes += stats.bytes();
    new_flows += stats.new_flows();
    if (!gateway.connected) return;
    flows += stats.flows();
    liveness[gateway.id] = liveness_name(stats.liveness());
    health.add(gateway, stats);
  }
};

/// Sums per backend, in the service's order; backends that only the gateways still know come last.
class Totals {
 public:
  Totals(const Service& service, const HealthSnapshot& health) {
    for (const Backend& backend : service.backends) at(backend.id);
    const auto found = health.services.find(service.id);
    if (found == health.services.end()) return;
    for (const BackendVerdict& backend : found->second->backends) verdicts_[backend.id] = backend.verdict;
  }

  void add(const ObservedGateway& gateway, const proto::BackendStats& stats) {
    at(stats.backend()).add(gateway, stats);
  }

  [[nodiscard]] json to_json() const {
    std::uint64_t flows = 0;
    for (const auto& [id, counters] : counters_) flows += counters.new_flows;
    json out = json::array();
    for (const std::string& id : order_) {
      const Counters& c = counters_.at(id);
      const double share = flows == 0 ? 0 : static_cast<double>(c.new_flows) / static_cast<double>(flows);
      out.push_back({{"backend", id},
                     {"packets", c.packets},
                     {"bytes", c.bytes},
                     {"new_flows", c.new_flows},
                     {"share", share},
                     {"flows", c.flows},
                     {"liveness", c.liveness}});
      c.health.add_to(out.back());
      const auto verdict = verdicts_.find(id);
      out.back()["verdict"] = verdict_name(verdict == verdicts_.end() ? Verdict::kUnknown : verdict->second);
    }
    return out;
  }

 private:
  Counters& at(const std::string& id) {
    const auto [entry, fresh] = counters_.try_emplace(id);
    if (fresh) order_.push_back(id);
    return entry->second;
  }

  std::map<std::string, Counters> counters_;
  std::vector<std::string> order_;
  std::map<std::string, Verdict> verdicts_;
};

/// The weights that a gateway's slots follow, from the last word about them: loads come more often than
/// status, but of services whose weights move only.
std::map<std::string, std::uint32_t> weights_in_force(const ObservedGateway& gateway,
                                                      const proto::ServiceStats& stats) {
  std::map<std::string, std::uint32_t> out;
  const auto take = [&](const proto::ServiceStats& service) {
    for (const proto::BackendStats& b : service.backends()) {
      if (b.has_weight()) out[b.backend()] = b.weight();
    }
  };
  take(stats);
  if (!gateway.loads || gateway.loads_at < gateway.status_at) return out;
  for (const proto::ServiceStats& service : gateway.loads->services()) {
    if (service.service() == stats.service()) take(service);
  }
  return out;
}

json describe(const ObservedGateway& gateway, const proto::ServiceStats& stats) {
  json outcomes = json::object();
  for (const proto::OutcomeCount& o : stats.outcomes()) outcomes[o.outcome()] = o.packets();
  json backends = json::array();
  const auto weights = weights_in_force(gateway, stats);
  for (const proto::BackendStats& b : stats.backends()) {
    const auto weight = weights.find(b.backend());
    backends.push_back({{"backend", b.backend()},
                        {"packets", b.packets()},
                        {"bytes", b.bytes()},
                        {"new_flows", b.new_flows()},
                        {"next_hop", b.next_hop()},
                        {"flows", b.flows()},
                        {"weight", weight == weights.end() ? json() : json(weight->second)},
                        {"liveness", liveness_name(b.liveness())}});
  }
  return {{"gateway", gateway.id},
          {"connected", gateway.connected},
          {"generation", gateway.status->generation()},
          {"outcomes", std::move(outcomes)},
          {"backends", std::move(backends)}};
}

json stats_of(const Service& service, std::uint64_t generation, const std::vector<ObservedGateway>& gateways,
              const HealthSnapshot& health) {
  Totals totals(service, health);
  json list = json::array();
  for (const ObservedGateway& gateway : gateways) {
    if (!gateway.status) continue;
    const proto::ServiceStats* stats = find_service(gateway.status->stats(), service.id);
    if (stats == nullptr) continue;
    for (const proto::BackendStats& backend : stats->backends()) totals.add(gateway, backend);
    list.push_back(describe(gateway, *stats));
  }
  return {{"service", service.id},
          {"generation", generation},
          {"backends", totals.to_json()},
          {"gateways", std::move(list)}};
}

}  // namespace

void add_stats_routes(Router& router, const Desired& desired, const Streams& streams) {
  router.add(Method::kGet, "/api/v1/services/{id}/stats", [&](const HttpRequest&, Router::Captures c) {
    const auto found = desired.now()->services.find(c[0]);
    if (found == desired.now()->services.end()) return no_service(c[0]);
    return json_response(
        200, stats_of(*found->second, desired.now()->generation, streams.gateways(), *streams.health()));
  });
}

}  // namespace penstock
