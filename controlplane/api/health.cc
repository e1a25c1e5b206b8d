#include "controlplane/api/health.h"

#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "controlplane/api/backend_health.h"
#include "controlplane/api/load_documents.h"
#include "controlplane/api/observed_walk.h"
#include "controlplane/api/resource.h"
#include "controlplane/api/seconds_ago.h"
#include "controlplane/api/services.h"
#include "controlplane/model/rfc3339.h"

namespace penstock {
namespace {

using nlohmann::json;

json to_json(const HealthEvent& event) {
  return {{"time", rfc3339(event.unix_ms / 1000)},
          {"unix_ms", event.unix_ms},
          {"kind", event.kind},
          {"object", event.object},
          {"from", event.from},
          {"to", event.to},
          {"reason", event.reason.empty() ? json() : json(event.reason)}};
}

json in_short(const Service& service, const ServiceVerdicts* verdicts) {
  std::size_t alive = 0, dead = 0, maintenance = 0;
  json all_down = json::array();
  if (verdicts != nullptr) {
    for (const BackendVerdict& backend : verdicts->backends) {
      alive += backend.verdict == Verdict::kAlive ? 1 : 0;
      dead += backend.verdict == Verdict::kDead ? 1 : 0;
    }
    all_down = verdicts->all_down;
  }
  for (const Backend& backend : service.backends) maintenance += backend.maintenance ? 1 : 0;
  return {{"service", service.id}, {"backends", service.backends.size()}, {"alive", alive},
          {"dead", dead},          {"maintenance", maintenance},          {"all_down", std::move(all_down)}};
}

const ServiceVerdicts* verdicts_of(const HealthSnapshot& health, const std::string& service) {
  const auto found = health.services.find(service);
  return found == health.services.end() ? nullptr : found->second.get();
}

json overview(const DesiredState& state, const HealthSnapshot& health) {
  json services = json::array();
  for (const auto& [id, service] : state.services) {
    services.push_back(in_short(*service, verdicts_of(health, id)));
  }
  json counts = json::object();
  json not_up = json::array();
  for (const NodeState s :
       {NodeState::kUp, NodeState::kAgentLost, NodeState::kPathLost, NodeState::kDead, NodeState::kUnknown}) {
    counts[node_state_name(s)] = 0;
  }
  for (const auto& [id, node] : health.nodes) {
    json& count = counts[node_state_name(node.state)];
    count = count.get<unsigned>() + 1;
    if (node.state == NodeState::kUp) continue;
    not_up.push_back({{"node", id},
                      {"state", node_state_name(node.state)},
                      {"since_seconds_ago", seconds_ago(node.since)}});
  }
  json events = json::array();
  for (const HealthEvent& event : *health.events) events.push_back(to_json(event));
  return {{"generation", state.generation},    {"gateways_with_a_vote", health.gateways},
          {"services", std::move(services)},   {"nodes", std::move(counts)},
          {"nodes_not_up", std::move(not_up)}, {"events", std::move(events)}};
}

/// One service's document. Reports and verdicts are found by name in one walk each.
class ServiceHealth {
 public:
  ServiceHealth(const Service& service, const HealthSnapshot& health, const Streams& streams)
      : service_(service),
        health_(health),
        streams_(streams),
        verdicts_(verdicts_of(health, service.id)),
        gateways_(streams.gateways()) {}

  [[nodiscard]] json document(std::uint64_t generation) {
    read_gateways();
    json backends = json::array();
    const std::vector<BackendVerdict> none;
    const std::vector<BackendVerdict>& verdicts = verdicts_ == nullptr ? none : verdicts_->backends;
    std::unordered_map<std::string_view, const BackendVerdict*> by_id;
    for (const BackendVerdict& verdict : verdicts) by_id.emplace(verdict.id, &verdict);
    for (const Backend& backend : service_.backends) {
      const auto found = by_id.find(backend.id);
      backends.push_back(describe(backend, found == by_id.end() ? nullptr : found->second));
    }
    return {{"service", service_.id},
            {"generation", generation},
            {"all_down", verdicts_ == nullptr ? json::array() : json(verdicts_->all_down)},
            {"gateways", std::move(reporting_)},
            {"backends", std::move(backends)}};
  }

 private:
  struct Reports {
    BackendHealthSummary summary;
    json gateways = json::array();
  };

  void read_gateways() {
    for (const ObservedGateway& gateway : gateways_) {
      if (!gateway.status) continue;
      const proto::ServiceStats* stats = find_service(gateway.status->stats(), service_.id);
      if (stats == nullptr) continue;
      reporting_.push_back(
          {{"gateway", gateway.id}, {"connected", gateway.connected}, {"all_down", stats->all_down()}});
      for (const proto::BackendStats& backend : stats->backends()) {
        Reports& of = reports_[backend.backend()];
        of.summary.add(gateway, backend);
        of.gateways.push_back(penstock::to_json(gateway, backend));
      }
    }
  }

  json describe(const Backend& backend, const BackendVerdict* verdict) {
    json out = {{"backend", backend.id},  {"address", backend.address.text()},
                {"drain", backend.drain}, {"maintenance", backend.maintenance},
                {"node", json()},         {"checks", json::array()}};
    add_verdict(out, verdict);
    Reports& of = reports_[backend.id];
    of.summary.add_to(out);
    out["gateways"] = std::move(of.gateways);
    if (verdict != nullptr && !verdict->node.empty()) add_node(out, verdict->node);
    return out;
  }

  void add_node(json& out, const std::string& id) {
    if (const auto found = health_.nodes.find(id); found != health_.nodes.end()) {
      out["node"] = {{"id", id},
                     {"state", node_state_name(found->second.state)},
                     {"since_seconds_ago", seconds_ago(found->second.since)}};
    }
    const auto [entry, fresh] = nodes_.try_emplace(id);
    if (fresh) entry->second = streams_.node(id);
    const auto& node = entry->second;
    if (!node || !node->status) return;
    for (const proto::NodeServiceStats& stats : node->status->services()) {
      if (stats.service() == service_.id) out["checks"] = penstock::to_json(stats.checks(), node->last_seen);
    }
    for (const proto::NatTargetStatus& target : node->status->nat_targets()) {
      if (target.service() == service_.id) {
        out["checks"] = penstock::to_json(target.checks(), node->last_seen);
      }
    }
  }

  const Service& service_;
  const HealthSnapshot& health_;
  const Streams& streams_;
  const ServiceVerdicts* verdicts_;
  const std::vector<ObservedGateway> gateways_;  // what reports_ refers to
  json reporting_ = json::array();
  std::unordered_map<std::string, Reports> reports_;
  std::map<std::string, std::optional<ObservedNode>> nodes_;
};

}  // namespace

void add_health_routes(Router& router, const Desired& desired, const Streams& streams) {
  router.add(Method::kGet, "/api/v1/health", [&](const HttpRequest&, Router::Captures) {
    return json_response(200, overview(*desired.now(), *streams.health()));
  });
  router.add(Method::kGet, "/api/v1/services/{id}/health", [&](const HttpRequest&, Router::Captures c) {
    const auto found = desired.now()->services.find(c[0]);
    if (found == desired.now()->services.end()) return no_service(c[0]);
    const auto health = streams.health();
    return json_response(200,
                         ServiceHealth(*found->second, *health, streams).document(desired.now()->generation));
  });
}

}  // namespace penstock
