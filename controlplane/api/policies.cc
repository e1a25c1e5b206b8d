#include "controlplane/api/policies.h"

#include <memory>
#include <utility>

#include "controlplane/api/problem.h"
#include "controlplane/api/resource.h"
#include "controlplane/model/policy_document.h"
#include "controlplane/model/rules.h"

namespace penstock {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxNamedUsers = 10;

HttpResponse no_policy(const std::string& id) { return problem(404, "there is no policy '" + id + "'"); }

HttpResponse is_built_in(const std::string& id) {
  return problem(409, "policy '" + id + "' is built in and cannot be changed: make one of another id");
}

/// As it is shown; the entity tag is made of this, too.
json describe(const WeightPolicy& policy) {
  json out = to_json(policy);
  out["built_in"] = built_in_policy(policy.id) != nullptr;
  return out;
}

/// "'a', 'b' and 3 more"
std::string text_of(const std::vector<std::string>& users) {
  std::string out;
  for (std::size_t i = 0; i < users.size() && i < kMaxNamedUsers; ++i) {
    out += (i == 0 ? "'" : ", '") + users[i] + "'";
  }
  if (users.size() > kMaxNamedUsers) out += " and " + std::to_string(users.size() - kMaxNamedUsers) + " more";
  return out;
}

class Policies {
 public:
  explicit Policies(Desired& desired) : desired_(desired) {}

  HttpResponse list(const HttpRequest& request) const {
    json items = json::array();
    for (const WeightPolicy& policy : built_in_policies()) items.push_back(describe(policy));
    for (const auto& [id, policy] : desired_.now()->policies) items.push_back(describe(policy));
    const json body = {{"items", std::move(items)}};
    return document_response(request, body);
  }

  HttpResponse create(const HttpRequest& request) {
    Body body = json_body(request);
    if (!body.json) return body.error;
    Problems problems;
    const auto policy = parse(std::move(*body.json), problems);
    if (!policy) return refused(problems);
    if (desired_.now()->policies.contains(policy->id)) {
      return conflict({{"id", "'" + policy->id + "' is taken; PUT replaces a policy"}});
    }
    HttpResponse response = store(*policy, 201);
    if (response.status == 201) response.headers.emplace_back("Location", "/api/v1/policies/" + policy->id);
    return response;
  }

  HttpResponse get(const HttpRequest& request, const std::string& id) const {
    const WeightPolicy* found = find_policy(*desired_.now(), id);
    if (found == nullptr) return no_policy(id);
    const json body = describe(*found);
    return document_response(request, body);
  }

  HttpResponse put(const HttpRequest& request, const std::string& id) {
    const std::optional<json> current = find(id);
    if (auto failed = failed_precondition(request, current ? &*current : nullptr)) return *failed;
    if (built_in_policy(id) != nullptr) return is_built_in(id);
    Body body = json_body(request);
    if (!body.json) return body.error;
    return take(std::move(*body.json), id, current ? 200 : 201);
  }

  HttpResponse patch(const HttpRequest& request, const std::string& id) {
    const std::optional<json> current = find(id);
    if (!current) return no_policy(id);
    if (auto failed = failed_precondition(request, &*current)) return *failed;
    if (built_in_policy(id) != nullptr) return is_built_in(id);
    Body merged = merged_body(request, *current);
    if (!merged.json) return merged.error;
    return take(std::move(*merged.json), id, 200);
  }

  HttpResponse remove(const HttpRequest& request, const std::string& id) {
    const std::optional<json> current = find(id);
    if (!current) return no_policy(id);
    if (auto failed = failed_precondition(request, &*current)) return *failed;
    if (auto unexpected = unexpected_body(request)) return *unexpected;
    if (built_in_policy(id) != nullptr) return is_built_in(id);
    if (const auto users = users_of_policy(*desired_.now(), id); !users.empty()) {
      return problem(409, "policy '" + id + "' is used by " + (users.size() == 1 ? "service " : "services ") +
                              text_of(users) + ": give them another one first");
    }
    Change change;
    change.delete_policies.push_back(id);
    const auto now = desired_.write(change);
    if (!now) return not_stored(now.error());
    return deleted((*now)->generation);
  }

 private:
  [[nodiscard]] std::optional<json> find(const std::string& id) const {
    const WeightPolicy* found = find_policy(*desired_.now(), id);
    return found == nullptr ? std::nullopt : std::optional<json>(describe(*found));
  }

  // What GET shows can be put back: "built_in":false is no news, "built_in":true is not in the operator's
  // hands.
  static std::optional<WeightPolicy> parse(json document, Problems& problems) {
    if (document.is_object() && document.value("built_in", json()) == json(false)) document.erase("built_in");
    return parse_policy(document, "", problems);
  }

  HttpResponse take(json document, const std::string& id, unsigned status) {
    Problems problems;
    settle_id(document, id, problems);
    const auto policy = parse(std::move(document), problems);
    if (!policy || !problems.empty()) return refused(problems);
    return store(*policy, status);
  }

  HttpResponse store(const WeightPolicy& policy, unsigned status) {
    if (!desired_.now()->policies.contains(policy.id) && desired_.now()->policies.size() >= kMaxPolicies) {
      return conflict({{"", "there are already " + std::to_string(kMaxPolicies) + " policies"}});
    }
    const json body = describe(policy);
    Change change;
    change.put_policies.push_back(policy);
    const auto now = desired_.write(change);
    if (!now) return not_stored(now.error());
    return written(status, body, body, (*now)->generation);
  }

  Desired& desired_;
};

}  // namespace

void add_policy_routes(Router& router, Desired& desired) {
  const auto policies = std::make_shared<Policies>(desired);
  const std::string list = "/api/v1/policies";
  const std::string item = list + "/{id}";
  using Request = HttpRequest;
  using Captures = Router::Captures;
  router.add(Method::kGet, list, [=](const Request& r, Captures) { return policies->list(r); });
  router.add(Method::kPost, list, [=](const Request& r, Captures) { return policies->create(r); });
  router.add(Method::kGet, item, [=](const Request& r, Captures c) { return policies->get(r, c[0]); });
  router.add(Method::kPut, item, [=](const Request& r, Captures c) { return policies->put(r, c[0]); });
  router.add(Method::kPatch, item, [=](const Request& r, Captures c) { return policies->patch(r, c[0]); });
  router.add(Method::kDelete, item, [=](const Request& r, Captures c) { return policies->remove(r, c[0]); });
}

}  // namespace penstock
