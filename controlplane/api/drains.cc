#include "controlplane/api/drains.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "controlplane/api/problem.h"
#include "controlplane/api/resource.h"
#include "controlplane/model/object_reader.h"
#include "controlplane/model/service_document.h"
#include "controlplane/model/service_names.h"

namespace penstock {
namespace {

using nlohmann::json;

/// Never early: a deadline of 10 seconds is at least 10 seconds away.
std::uint64_t unix_seconds_in(std::uint32_t seconds) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::ceil<std::chrono::seconds>(now).count()) + seconds;
}

/// The body as JSON; a request without one asks for nothing in particular.
Body optional_body(const HttpRequest& request) {
  if (request.body.empty()) return {json::object(), {}};
  return json_body(request);
}

std::optional<std::uint32_t> optional_seconds(ObjectReader& reader, const std::string& key,
                                              std::uint32_t least) {
  if (reader.member(key) == nullptr) return std::nullopt;
  return reader.required_number(key, least, kMaxDrainSeconds);
}

class NodeDrains {
 public:
  NodeDrains(Desired& desired, const Streams& streams) : desired_(desired), streams_(streams) {}

  HttpResponse drain(const HttpRequest& request, const std::string& id) {
    const ReadDrain read = read_drain(request);
    if (!read.request) return read.error;
    return apply_to(id, [&](Backend& backend) { read.request->drain(backend); });
  }

  HttpResponse undrain(const HttpRequest& request, const std::string& id) {
    if (auto unexpected = unexpected_body(request)) return *unexpected;
    return apply_to(id, &DrainRequest::undrain);
  }

 private:
  /// Changes every backend of the node in one generation and tells which they are.
  template <class F>
  HttpResponse apply_to(const std::string& id, F change_backend) {
    const auto node = streams_.node(id);
    if (!node) {
      return problem(404, "no node '" + id + "' is known: none connected since this control plane began");
    }
    const auto lives_here = [&](const Backend& backend) {
      return std::find(node->addresses.begin(), node->addresses.end(), backend.address) !=
             node->addresses.end();
    };
    Change change;
    json backends = json::array();
    for (const auto& [name, service] : desired_.now()->services) {
      if (std::none_of(service->backends.begin(), service->backends.end(), lives_here)) continue;
      Service changed = *service;
      for (Backend& backend : changed.backends) {
        if (!lives_here(backend)) continue;
        change_backend(backend);
        json shown = to_json(backend);
        shown["service"] = name;
        backends.push_back(std::move(shown));
      }
      if (changed != *service)
        change.put_services.push_back(std::make_shared<const Service>(std::move(changed)));
    }
    std::uint64_t generation = desired_.now()->generation;
    if (!change.put_services.empty()) {
      const auto now = desired_.write(change);
      if (!now) return not_stored(now.error());
      generation = (*now)->generation;
    }
    HttpResponse response =
        json_response(200, {{"node", id}, {"generation", generation}, {"backends", std::move(backends)}});
    response.headers.emplace_back("Penstock-Generation", std::to_string(generation));
    return response;
  }

  Desired& desired_;
  const Streams& streams_;
};

}  // namespace

void DrainRequest::drain(Backend& backend) const {
  backend.drain = true;
  backend.drain_deadline = deadline_seconds ? unix_seconds_in(*deadline_seconds) : 0;
  backend.drain_policy = policy;
}

void DrainRequest::undrain(Backend& backend) {
  backend.drain = false;
  backend.drain_deadline = 0;
  backend.drain_policy = DrainPolicy::kKeep;
}

ReadDrain read_drain(const HttpRequest& request) {
  const Body body = optional_body(request);
  if (!body.json) return {std::nullopt, body.error};
  Problems problems;
  ObjectReader reader(*body.json, "", problems);
  DrainRequest out;
  out.deadline_seconds = optional_seconds(reader, "deadline_seconds", 0);
  const auto policy = drain_policy_named(reader.text_or("policy", "keep"));
  if (!policy) reader.complain("policy", "must be keep or reset");
  reader.finish();
  out.policy = policy.value_or(DrainPolicy::kKeep);
  if (problems.empty() && out.policy == DrainPolicy::kReset && !out.deadline_seconds) {
    problems.push_back({"deadline_seconds", "missing: policy reset needs it; 0 resets at once"});
  }
  if (!problems.empty()) return {std::nullopt, refused(problems)};
  return {out, {}};
}

ReadSeconds read_seconds(const HttpRequest& request, const std::string& key) {
  const Body body = optional_body(request);
  if (!body.json) return {std::nullopt, body.error};
  Problems problems;
  ObjectReader reader(*body.json, "", problems);
  const auto seconds = optional_seconds(reader, key, 1);
  reader.finish();
  if (!problems.empty()) return {std::nullopt, refused(problems)};
  return {seconds.value_or(0), {}};
}

void add_node_drain_routes(Router& router, Desired& desired, const Streams& streams) {
  const auto nodes = std::make_shared<NodeDrains>(desired, streams);
  const std::string item = "/api/v1/nodes/{id}";
  router.add(Method::kPost, item + "/drain",
             [=](const HttpRequest& r, Router::Captures c) { return nodes->drain(r, c[0]); });
  router.add(Method::kPost, item + "/undrain",
             [=](const HttpRequest& r, Router::Captures c) { return nodes->undrain(r, c[0]); });
}

}  // namespace penstock
