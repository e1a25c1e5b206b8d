#include "controlplane/api/backends.h"

#include <algorithm>
#include <utility>

#include "controlplane/api/drains.h"
#include "controlplane/api/problem.h"
#include "controlplane/api/resource.h"
#include "controlplane/api/services.h"
#include "controlplane/model/rules.h"
#include "controlplane/model/service_document.h"
#include "controlplane/model/service_rules.h"

namespace penstock {
namespace {

using nlohmann::json;

/// A service taken out for a change of one backend; `index` is the backend's, or one past the last.
struct Found {
  Service service;
  std::size_t index;

  [[nodiscard]] bool exists() const { return index < service.backends.size(); }
  [[nodiscard]] const Backend& backend() const { return service.backends[index]; }
};

/// Problems of the whole service as the sender of one backend sees them: "backends[2].address" → "address".
Problems relative_to_backend(Problems problems, std::size_t index) {
  const std::string prefix = "backends[" + std::to_string(index) + "].";
  for (Problem& problem : problems) {
    if (problem.field.starts_with(prefix)) problem.field.erase(0, prefix.size());
  }
  return problems;
}

class Backends {
 public:
  explicit Backends(Desired& desired) : desired_(desired) {}

  HttpResponse list(const HttpRequest& request, const std::string& service) const {
    const auto found = desired_.now()->services.find(service);
    if (found == desired_.now()->services.end()) return no_service(service);
    json items = json::array();
    for (const Backend& backend : found->second->backends) items.push_back(to_json(backend));
    const json body = {{"items", std::move(items)}};
    return document_response(request, body);
  }

  HttpResponse create(const HttpRequest& request, const std::string& service) {
    const Body body = json_body(request);
    if (!body.json) return body.error;
    Problems problems;
    auto backend = parse_backend(*body.json, "", problems);
    auto found = find(service, backend ? backend->id : "");
    if (!found) return no_service(service);
    if (!backend) return refused(problems);
    const std::string id = backend->id;
    if (found->exists()) return conflict({{"id", "'" + id + "' is taken; PUT replaces a backend"}});
    HttpResponse response = store(std::move(*found), std::move(*backend), 201);
    if (response.status == 201) {
      response.headers.emplace_back("Location", "/api/v1/services/" + service + "/backends/" + id);
    }
    return response;
  }

  HttpResponse get(const HttpRequest& request, const std::string& service, const std::string& id) const {
    const auto found = find(service, id);
    if (!found) return no_service(service);
    if (!found->exists()) return no_backend(service, id);
    const json body = to_json(found->backend());
    return document_response(request, body);
  }

  HttpResponse put(const HttpRequest& request, const std::string& service, const std::string& id) {
    auto found = find(service, id);
    if (!found) return no_service(service);
    const json current = found->exists() ? to_json(found->backend()) : json();
    if (auto failed = failed_precondition(request, found->exists() ? &current : nullptr)) return *failed;
    Body body = json_body(request);
    if (!body.json) return body.error;
    const unsigned status = found->exists() ? 200 : 201;
    return take(std::move(*found), std::move(*body.json), id, status);
  }

  HttpResponse patch(const HttpRequest& request, const std::string& service, const std::string& id) {
    auto found = find(service, id);
    if (!found) return no_service(service);
    if (!found->exists()) return no_backend(service, id);
    const json current = to_json(found->backend());
    if (auto failed = failed_precondition(request, &current)) return *failed;
    Body merged = merged_body(request, current);
    if (!merged.json) return merged.error;
    return take(std::move(*found), std::move(*merged.json), id, 200);
  }

  HttpResponse remove(const HttpRequest& request, const std::string& service, const std::string& id) {
    auto found = find(service, id);
    if (!found) return no_service(service);
    if (!found->exists()) return no_backend(service, id);
    const json current = to_json(found->backend());
    if (auto failed = failed_precondition(request, &current)) return *failed;
    if (auto unexpected = unexpected_body(request)) return *unexpected;
    if (found->service.backends.size() == 1) {
      return problem(409, "'" + id + "' is the only backend of service '" + service +
                              "': drain it, or delete the service");
    }
    Change change;
    found->service.backends.erase(found->service.backends.begin() +
                                  static_cast<std::ptrdiff_t>(found->index));
    change.put_services.push_back(std::make_shared<const Service>(std::move(found->service)));
    const auto now = desired_.write(change);
    if (!now) return not_stored(now.error());
    return deleted((*now)->generation);
  }

  HttpResponse drain(const HttpRequest& request, const std::string& service, const std::string& id) {
    const ReadDrain read = read_drain(request);
    if (!read.request) return read.error;
    return apply_to(request, service, id, [&](Backend& backend) { read.request->drain(backend); });
  }

  HttpResponse undrain(const HttpRequest& request, const std::string& service, const std::string& id) {
    if (auto unexpected = unexpected_body(request)) return *unexpected;
    return apply_to(request, service, id, &DrainRequest::undrain);
  }

  HttpResponse maintain(const HttpRequest& request, const std::string& service, const std::string& id,
                        bool maintenance) {
    if (auto unexpected = unexpected_body(request)) return *unexpected;
    return apply_to(request, service, id, [&](Backend& backend) { backend.maintenance = maintenance; });
  }

 private:
  [[nodiscard]] std::optional<Found> find(const std::string& service, const std::string& id) const {
    const auto found = desired_.now()->services.find(service);
    if (found == desired_.now()->services.end()) return std::nullopt;
    const auto& backends = found->second->backends;
    const auto at =
        std::find_if(backends.begin(), backends.end(), [&](const Backend& b) { return b.id == id; });
    return Found{*found->second, static_cast<std::size_t>(at - backends.begin())};
  }

  template <class F>
  HttpResponse apply_to(const HttpRequest& request, const std::string& service, const std::string& id,
                        F change_backend) {
    auto found = find(service, id);
    if (!found) return no_service(service);
    if (!found->exists()) return no_backend(service, id);
    const json current = to_json(found->backend());
    if (auto failed = failed_precondition(request, &current)) return *failed;
    Backend backend = found->backend();
    change_backend(backend);
    return store(std::move(*found), std::move(backend), 200);
  }

  static HttpResponse no_backend(const std::string& service, const std::string& id) {
    return problem(404, "service '" + service + "' has no backend '" + id + "'");
  }

  HttpResponse take(Found found, json document, const std::string& id, unsigned status) {
    Problems problems;
    settle_id(document, id, problems);
    auto backend = parse_backend(document, "", problems);
    if (!problems.empty()) return refused(problems);
    return store(std::move(found), std::move(*backend), status);
  }

  HttpResponse store(Found found, Backend backend, unsigned status) {
    const json body = to_json(backend);
    if (found.exists()) {
      found.service.backends[found.index] = std::move(backend);
    } else {
      found.service.backends.push_back(std::move(backend));
    }
    Problems against;
    check_backends(found.service, "", against);
    if (against.empty()) against = conflicts(*desired_.now(), found.service);
    if (!against.empty()) return conflict(relative_to_backend(std::move(against), found.index));
    Change change;
    change.put_services.push_back(std::make_shared<const Service>(std::move(found.service)));
    const auto now = desired_.write(change);
    if (!now) return not_stored(now.error());
    return written(status, body, body, (*now)->generation);
  }

  Desired& desired_;
};

}  // namespace

void add_backend_routes(Router& router, Desired& desired) {
  const auto backends = std::make_shared<Backends>(desired);
  const std::string list = "/api/v1/services/{id}/backends";
  const std::string item = list + "/{backend}";
  using Request = HttpRequest;
  using Captures = Router::Captures;
  router.add(Method::kGet, list, [=](const Request& r, Captures c) { return backends->list(r, c[0]); });
  router.add(Method::kPost, list, [=](const Request& r, Captures c) { return backends->create(r, c[0]); });
  router.add(Method::kGet, item, [=](const Request& r, Captures c) { return backends->get(r, c[0], c[1]); });
  router.add(Method::kPut, item, [=](const Request& r, Captures c) { return backends->put(r, c[0], c[1]); });
  router.add(Method::kPatch, item,
             [=](const Request& r, Captures c) { return backends->patch(r, c[0], c[1]); });
  router.add(Method::kDelete, item,
             [=](const Request& r, Captures c) { return backends->remove(r, c[0], c[1]); });
  router.add(Method::kPost, item + "/drain",
             [=](const Request& r, Captures c) { return backends->drain(r, c[0], c[1]); });
  router.add(Method::kPost, item + "/undrain",
             [=](const Request& r, Captures c) { return backends->undrain(r, c[0], c[1]); });
  router.add(Method::kPost, item + "/maintenance",
             [=](const Request& r, Captures c) { return backends->maintain(r, c[0], c[1], true); });
  router.add(Method::kDelete, item + "/maintenance",
             [=](const Request& r, Captures c) { return backends->maintain(r, c[0], c[1], false); });
}

}  // namespace penstock
