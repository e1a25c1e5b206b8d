#include "controlplane/api/nodes.h"

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

json describe(const ObservedNode& node) {
  json out = {{"id", node.id},
              {"connected", node.connected},
              {"version", node.version},
              {"last_seen_seconds_ago", seconds_ago(node.last_seen)},
              {"addresses", json::array()},
              {"interfaces", json::array()},
              {"services", json::array()},
              {"hops", json::array()},
              {"errors", json::array()}};
  for (const IpAddr& address : node.addresses) out["addresses"].push_back(address.text());
  if (!node.status) return out;
  out["generation"] = node.status->generation();
  out["decap_dropped"] = node.status->decap_dropped();
  for (const proto::InterfaceStatus& i : node.status->interfaces()) {
    out["interfaces"].push_back({{"name", i.name()}, {"xdp_mode", i.xdp_mode()}});
  }
  for (const proto::NodeServiceStats& s : node.status->services()) {
    const VipKey key = ports_of(s);
    out["services"].push_back({{"vip", s.vip()},
                               {"protocol", key.protocol_text()},
                               {"port", key.is_one_port() ? json(key.port) : json(key.port_text())},
                               {"packets", s.packets()},
                               {"bytes", s.bytes()}});
  }
  for (const proto::HopStats& hop : node.status->hops()) out["hops"].push_back(to_json(hop));
  out["probes"] = to_json(node.status->probes());
  for (const std::string& error : node.status->errors()) out["errors"].push_back(error);
  return out;
}

}  // namespace

void add_node_routes(Router& router, const Streams& streams) {
  router.add(Method::kGet, "/api/v1/nodes", [&streams](const HttpRequest&, Router::Captures) {
    json body = {{"items", json::array()}};
    for (const ObservedNode& node : streams.nodes()) body["items"].push_back(describe(node));
    return json_response(200, body);
  });
  router.add(Method::kGet, "/api/v1/nodes/{id}", [&streams](const HttpRequest&, Router::Captures c) {
    const auto node = streams.node(c[0]);
    return node ? json_response(200, describe(*node)) : problem(404, "no node '" + c[0] + "' ever connected");
  });
}

}  // namespace penstock
