#include "controlplane/api/gateways.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "controlplane/api/drains.h"
#include "controlplane/api/gateway_status.h"
#include "controlplane/api/problem.h"
#include "controlplane/api/resource.h"
#include "controlplane/model/gateway_document.h"

namespace penstock {
namespace {

using nlohmann::json;

HttpResponse no_gateway(const std::string& id) {
  return problem(404,
                 "there is no gateway '" + id + "': none was configured and none connected under this id");
}

/// `observed` is null for a gateway that never connected to this process.
json describe_gateway(const GatewayPolicy& policy, const ObservedGateway* observed) {
  json out = to_json(policy);
  out["upgrade_request"] = policy.upgrade ? to_stored_json(policy)["upgrade_request"] : json();
  add_observed(out, observed);
  return out;
}

class Gateways {
 public:
  Gateways(Desired& desired, Streams& streams) : desired_(desired), streams_(streams) {}

  HttpResponse list() const {
    std::map<std::string, ObservedGateway> observed;
    for (ObservedGateway& gateway : streams_.gateways()) observed.emplace(gateway.id, std::move(gateway));
    std::map<std::string, json> items;
    for (const auto& [id, gateway] : observed) items[id] = describe_gateway(policy_of(id), &gateway);
    for (const auto& [id, policy] : desired_.now()->gateways)
      items.try_emplace(id, describe_gateway(policy, nullptr));
    json body = {{"items", json::array()}};
    for (auto& [id, item] : items) body["items"].push_back(std::move(item));
    return json_response(200, body);
  }

  // Never 304: the observed part changes under an unchanged tag.
  HttpResponse get(const std::string& id) const {
    if (!known(id)) return no_gateway(id);
    const GatewayPolicy policy = policy_of(id);
    HttpResponse response = json_response(200, describe(policy));
    response.headers.emplace_back("ETag", entity_tag(to_json(policy)));
    return response;
  }

  HttpResponse put(const HttpRequest& request, const std::string& id) {
    const bool replaces = known(id);
    const json current = to_json(policy_of(id));
    if (auto failed = failed_precondition(request, replaces ? &current : nullptr)) return *failed;
    Body body = json_body(request);
    if (!body.json) return body.error;
    return take(std::move(*body.json), id, replaces ? 200 : 201);
  }

  HttpResponse patch(const HttpRequest& request, const std::string& id) {
    if (!known(id)) return no_gateway(id);
    const json current = to_json(policy_of(id));
    if (auto failed = failed_precondition(request, &current)) return *failed;
    Body merged = merged_body(request, current);
    if (!merged.json) return merged.error;
    return take(std::move(*merged.json), id, 200);
  }

  HttpResponse drain(const HttpRequest& request, const std::string& id) {
    const ReadSeconds read = read_seconds(request, "deadline_seconds");
    if (!read.seconds) return read.error;
    return announce(request, id, false, *read.seconds);
  }

  HttpResponse undrain(const HttpRequest& request, const std::string& id) {
    if (auto unexpected = unexpected_body(request)) return *unexpected;
    return announce(request, id, true, 0);
  }

  // Its ids grow beyond what the gateway has done, too: the store may have lost the request of a gateway that
  // was deleted.
  HttpResponse upgrade(const HttpRequest& request, const std::string& id) {
    if (!known(id)) return no_gateway(id);
    const json current = to_json(policy_of(id));
    if (auto failed = failed_precondition(request, &current)) return *failed;
    const ReadSeconds read = read_seconds(request, "drain_timeout_seconds");
    if (!read.seconds) return read.error;
    const auto observed = streams_.gateway(id);
    if (!observed || !observed->connected) {
      return problem(409, "gateway '" + id + "' is not connected: it would upgrade at a time nobody chose");
    }
    if (upgrades(*observed)) {
      return problem(409, "gateway '" + id + "' is still at upgrade " +
                              std::to_string(observed->status->upgrade().id()) + " (" +
                              phase_name(observed->status->upgrade().phase()) + ")");
    }
    GatewayPolicy policy = policy_of(id);
    std::uint64_t last = policy.upgrade ? policy.upgrade->id : 0;
    if (observed->status) last = std::max(last, observed->status->upgrade().id());
    policy.upgrade = UpgradeRequest{static_cast<std::uint32_t>(last + 1), *read.seconds};
    return store(policy, 202);
  }

  HttpResponse remove(const HttpRequest& request, const std::string& id) {
    if (!known(id)) return no_gateway(id);
    const json current = to_json(policy_of(id));
    if (auto failed = failed_precondition(request, &current)) return *failed;
    if (auto unexpected = unexpected_body(request)) return *unexpected;
    const auto observed = streams_.gateway(id);
    if (observed && observed->connected) {
      return problem(409,
                     "gateway '" + id + "' is connected: stop its penstock-gateway, or undrain it instead");
    }
    std::uint64_t generation = desired_.now()->generation;
    if (desired_.now()->gateways.contains(id)) {
      Change change;
      change.delete_gateways.push_back(id);
      const auto now = desired_.write(change);
      if (!now) return not_stored(now.error());
      generation = (*now)->generation;
    }
    streams_.forget_gateway(id);
    return deleted(generation);
  }

 private:
  HttpResponse announce(const HttpRequest& request, const std::string& id, bool announce,
                        std::uint32_t drain_timeout_seconds) {
    if (!known(id)) return no_gateway(id);
    const json current = to_json(policy_of(id));
    if (auto failed = failed_precondition(request, &current)) return *failed;
    GatewayPolicy policy = policy_of(id);
    policy.announce = announce;
    policy.drain_timeout_seconds = drain_timeout_seconds;
    return store(policy, 200);
  }

  [[nodiscard]] bool known(const std::string& id) const {
    return desired_.now()->gateways.contains(id) || streams_.gateway(id);
  }

  [[nodiscard]] GatewayPolicy policy_of(const std::string& id) const {
    const auto found = desired_.now()->gateways.find(id);
    return found == desired_.now()->gateways.end() ? GatewayPolicy{id} : found->second;
  }

  [[nodiscard]] json describe(const GatewayPolicy& policy) const {
    const auto observed = streams_.gateway(policy.id);
    return describe_gateway(policy, observed ? &*observed : nullptr);
  }

  HttpResponse take(json document, const std::string& id, unsigned status) {
    Problems problems;
    settle_id(document, id, problems);
    auto policy = parse_gateway(document, "", problems);
    if (!problems.empty()) return refused(problems);
    policy->upgrade = policy_of(id).upgrade;
    return store(*policy, status);
  }

  HttpResponse store(const GatewayPolicy& policy, unsigned status) {
    Change change;
    change.put_gateways.push_back(policy);
    const auto now = desired_.write(change);
    if (!now) return not_stored(now.error());
    return written(status, describe(policy), to_json(policy), (*now)->generation);
  }

  Desired& desired_;
  Streams& streams_;
};

}  // namespace

void add_gateway_routes(Router& router, Desired& desired, Streams& streams) {
  const auto gateways = std::make_shared<Gateways>(desired, streams);
  const std::string list = "/api/v1/gateways";
  const std::string item = list + "/{id}";
  using Request = HttpRequest;
  using Captures = Router::Captures;
  router.add(Method::kGet, list, [=](const Request&, Captures) { return gateways->list(); });
  router.add(Method::kGet, item, [=](const Request&, Captures c) { return gateways->get(c[0]); });
  router.add(Method::kPut, item, [=](const Request& r, Captures c) { return gateways->put(r, c[0]); });
  router.add(Method::kPatch, item, [=](const Request& r, Captures c) { return gateways->patch(r, c[0]); });
  router.add(Method::kDelete, item, [=](const Request& r, Captures c) { return gateways->remove(r, c[0]); });
  router.add(Method::kPost, item + "/drain",
             [=](const Request& r, Captures c) { return gateways->drain(r, c[0]); });
  router.add(Method::kPost, item + "/undrain",
             [=](const Request& r, Captures c) { return gateways->undrain(r, c[0]); });
  router.add(Method::kPost, item + "/upgrade",
             [=](const Request& r, Captures c) { return gateways->upgrade(r, c[0]); });
}

}  // namespace penstock
