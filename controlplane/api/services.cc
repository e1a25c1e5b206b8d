#include "controlplane/api/services.h"

#include <utility>

#include "controlplane/api/problem.h"
#include "controlplane/api/resource.h"
#include "controlplane/model/rules.h"
#include "controlplane/model/service_document.h"

namespace penstock {
namespace {

using nlohmann::json;

constexpr const char* kCollection = "/api/v1/services";
constexpr const char* kItem = "/api/v1/services/{id}";

json list_of(const DesiredState& state) {
  json items = json::array();
  for (const auto& [id, service] : state.services) items.push_back(to_json(*service));
  return {{"items", std::move(items)}};
}

class Services {
 public:
  explicit Services(Desired& desired) : desired_(desired) {}

  HttpResponse list(const HttpRequest& request) const {
    const json body = list_of(*desired_.now());
    return document_response(request, body);
  }

  HttpResponse create(const HttpRequest& request) {
    const Body body = json_body(request);
    if (!body.json) return body.error;
    Problems problems;
    auto service = parse_service(*body.json, "", problems);
    if (!service) return refused(problems);
    if (desired_.now()->services.contains(service->id)) {
      return conflict({{"id", "'" + service->id + "' is taken; PUT replaces a service"}});
    }
    const std::string location = std::string(kCollection) + "/" + service->id;
    HttpResponse response = put_service(desired_, std::move(*service), 201);
    if (response.status == 201) response.headers.emplace_back("Location", location);
    return response;
  }

  HttpResponse replace_all(const HttpRequest& request) {
    const json current = list_of(*desired_.now());
    if (auto failed = failed_precondition(request, &current)) return *failed;
    const Body body = json_body(request);
    if (!body.json) return body.error;
    Problems problems;
    auto services = parse_services(*body.json, problems, desired_.now().get());
    if (!services) return refused(problems);
    Change change;
    for (const auto& [id, service] : desired_.now()->services) change.delete_services.push_back(id);
    for (Service& service : *services) {
      change.put_services.push_back(std::make_shared<const Service>(std::move(service)));
    }
    const auto now = desired_.write(change);
    if (!now) return not_stored(now.error());
    const json result = list_of(**now);
    return written(200, result, result, (*now)->generation);
  }

  HttpResponse get(const HttpRequest& request, const std::string& id) const {
    const auto found = desired_.now()->services.find(id);
    if (found == desired_.now()->services.end()) return no_service(id);
    const json body = to_json(*found->second);
    return document_response(request, body);
  }

  HttpResponse put(const HttpRequest& request, const std::string& id) {
    const std::optional<json> current = find(id);
    if (auto failed = failed_precondition(request, current ? &*current : nullptr)) return *failed;
    Body body = json_body(request);
    if (!body.json) return body.error;
    return take(std::move(*body.json), id, current ? 200 : 201);
  }

  HttpResponse patch(const HttpRequest& request, const std::string& id) {
    const std::optional<json> current = find(id);
    if (!current) return no_service(id);
    if (auto failed = failed_precondition(request, &*current)) return *failed;
    Body merged = merged_body(request, *current);
    if (!merged.json) return merged.error;
    return take(std::move(*merged.json), id, 200);
  }

  HttpResponse remove(const HttpRequest& request, const std::string& id) {
    const std::optional<json> current = find(id);
    if (!current) return no_service(id);
    if (auto failed = failed_precondition(request, &*current)) return *failed;
    if (auto unexpected = unexpected_body(request)) return *unexpected;
    Change change;
    change.delete_services.push_back(id);
    const auto now = desired_.write(change);
    if (!now) return not_stored(now.error());
    return deleted((*now)->generation);
  }

 private:
  [[nodiscard]] std::optional<json> find(const std::string& id) const {
    const auto found = desired_.now()->services.find(id);
    if (found == desired_.now()->services.end()) return std::nullopt;
    return to_json(*found->second);
  }

  HttpResponse take(json document, const std::string& id, unsigned status) {
    Problems problems;
    settle_id(document, id, problems);
    const auto before = desired_.now()->services.find(id);
    const bool exists = before != desired_.now()->services.end();
    auto service = parse_service(document, "", problems, exists ? before->second.get() : nullptr);
    if (!problems.empty()) return refused(problems);
    return put_service(desired_, std::move(*service), status);
  }

  Desired& desired_;
};

}  // namespace

HttpResponse no_service(const std::string& id) { return problem(404, "there is no service '" + id + "'"); }

HttpResponse put_service(Desired& desired, Service service, unsigned status) {
  const Problems against = conflicts(*desired.now(), service);
  if (!against.empty()) return conflict(against);
  const json body = to_json(service);
  Change change;
  change.put_services.push_back(std::make_shared<const Service>(std::move(service)));
  const auto now = desired.write(change);
  if (!now) return not_stored(now.error());
  return written(status, body, body, (*now)->generation);
}

void add_service_routes(Router& router, Desired& desired) {
  const auto services = std::make_shared<Services>(desired);
  using Captures = Router::Captures;
  router.add(Method::kGet, kCollection,
             [services](const HttpRequest& r, Captures) { return services->list(r); });
  router.add(Method::kPost, kCollection,
             [services](const HttpRequest& r, Captures) { return services->create(r); });
  router.add(Method::kPut, kCollection,
             [services](const HttpRequest& r, Captures) { return services->replace_all(r); });
  router.add(Method::kGet, kItem,
             [services](const HttpRequest& r, Captures c) { return services->get(r, c[0]); });
  router.add(Method::kPut, kItem,
             [services](const HttpRequest& r, Captures c) { return services->put(r, c[0]); });
  router.add(Method::kPatch, kItem,
             [services](const HttpRequest& r, Captures c) { return services->patch(r, c[0]); });
  router.add(Method::kDelete, kItem,
             [services](const HttpRequest& r, Captures c) { return services->remove(r, c[0]); });
}

}  // namespace penstock
