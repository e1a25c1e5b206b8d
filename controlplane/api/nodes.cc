#include "controlplane/api/nodes.h"

#include "controlplane/api/load_documents.h"
#include "controlplane/api/problem.h"
#include "controlplane/api/resource.h"
#include "controlplane/api/seconds_ago.h"
#include "controlplane/model/wire.h"

namespace penstock {
namespace {

using nlohmann::json;

json to_json(const proto::HopStats& hop) {
  return {{"hop", hop.hop()},
          {"known", hop.known()},
          {"begun", hop.begun()},
          {"last", hop.last()},
          {"passed_on", hop.passed_on()}};
}

json to_json(const proto::ProbeResponderStats& probes) {
  return {{"answered", probes.answered()},
          {"refused",
           {{"malformed", probes.refused_malformed()},
            {"authentication", probes.refused_authentication()},
            {"stale", probes.refused_stale()}}}};
}

json describe(const proto::NodeServiceStats& service, Nanoseconds received) {
  const VipKey key = ports_of(service);
  json out = {{"vip", service.vip()},
              {"protocol", key.protocol_text()},
              {"port", key.is_one_port() ? json(key.port) : json(key.port_text())},
              {"packets", service.packets()},
              {"bytes", service.bytes()},
              {"service", service.service()},
              {"checks", to_json(service.checks(), received)}};
  if (service.has_telemetry()) out["telemetry"] = to_json(service.telemetry(), received);
  return out;
}

void add_state(json& out, const std::string& id, const HealthSnapshot& health) {
  const auto found = health.nodes.find(id);
  if (found == health.nodes.end()) {
    out["state"] = node_state_name(NodeState::kUnknown);  // it came less than 250 ms ago
    return;
  }
  const NodeHealth& node = found->second;
  out["state"] = node_state_name(node.state);
  out["state_since_seconds_ago"] = seconds_ago(node.since);
  out["agent"] = node.agent_talks ? "talks" : "silent";
  out["heard_by"] = {
      {"heard", node.paths.heard}, {"unheard", node.paths.unheard}, {"doubting", node.paths.doubting}};
}

json describe(const ObservedNode& node, const HealthSnapshot& health) {
  json out = {{"id", node.id},
              {"connected", node.connected},
              {"version", node.version},
              {"last_seen_seconds_ago", seconds_ago(node.last_seen)},
              {"addresses", json::array()},
              {"interfaces", json::array()},
              {"services", json::array()},
              {"hops", json::array()},
              {"errors", json::array()}};
  add_state(out, node.id, health);
  for (const IpAddr& address : node.addresses) out["addresses"].push_back(address.text());
  if (!node.status) return out;
  out["generation"] = node.status->generation();
  out["decap_dropped"] = node.status->decap_dropped();
  for (const proto::InterfaceStatus& i : node.status->interfaces()) {
    out["interfaces"].push_back({{"name", i.name()}, {"xdp_mode", i.xdp_mode()}});
  }
  for (const proto::NodeServiceStats& s : node.status->services()) {
    out["services"].push_back(describe(s, node.last_seen));
  }
  for (const proto::HopStats& hop : node.status->hops()) out["hops"].push_back(to_json(hop));
  out["probes"] = to_json(node.status->probes());
  for (const std::string& error : node.status->errors()) out["errors"].push_back(error);
  if (node.status->has_load()) out["load"] = to_json(node.status->load(), node.last_seen);
  out["labels"] = json::object();
  for (const auto& [name, value] : node.status->labels()) out["labels"][name] = value;
  out["nat_targets"] = json::array();
  for (const proto::NatTargetStatus& target : node.status->nat_targets()) {
    out["nat_targets"].push_back(
        {{"service", target.service()}, {"checks", to_json(target.checks(), node.last_seen)}});
  }
  return out;
}

}  // namespace

void add_node_routes(Router& router, const Streams& streams) {
  router.add(Method::kGet, "/api/v1/nodes", [&streams](const HttpRequest&, Router::Captures) {
    json body = {{"items", json::array()}};
    const auto health = streams.health();
    for (const ObservedNode& node : streams.nodes()) body["items"].push_back(describe(node, *health));
    return json_response(200, body);
  });
  router.add(Method::kGet, "/api/v1/nodes/{id}", [&streams](const HttpRequest&, Router::Captures c) {
    const auto node = streams.node(c[0]);
    return node ? json_response(200, describe(*node, *streams.health()))
                : problem(404, "no node '" + c[0] + "' ever connected");
  });
}

}  // namespace penstock
