#include "controlplane/api/drains.h"

#include <chrono>

#include "controlplane/api/node_backends.h"
#include "controlplane/api/problem.h"
#include "controlplane/api/resource.h"
#include "controlplane/model/object_reader.h"
#include "controlplane/model/service_names.h"

namespace penstock {
namespace {

/// Never early: a deadline of 10 seconds is at least 10 seconds away.
std::uint64_t unix_seconds_in(std::uint32_t seconds) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::ceil<std::chrono::seconds>(now).count()) + seconds;
}

/// The body as JSON; a request without one asks for nothing in particular.
Body optional_body(const HttpRequest& request) {
  if (request.body.empty()) return {nlohmann::json::object(), {}};
  return json_body(request);
}

std::optional<std::uint32_t> optional_seconds(ObjectReader& reader, const std::string& key,
                                              std::uint32_t least) {
  if (reader.member(key) == nullptr) return std::nullopt;
  return reader.required_number(key, least, kMaxDrainSeconds);
}

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
  const std::string item = "/api/v1/nodes/{id}";
  router.add(Method::kPost, item + "/drain", [&](const HttpRequest& request, Router::Captures c) {
    const ReadDrain read = read_drain(request);
    if (!read.request) return read.error;
    return change_backends_of_node(desired, streams, c[0],
                                   [&](Backend& backend) { read.request->drain(backend); });
  });
  router.add(Method::kPost, item + "/undrain", [&](const HttpRequest& request, Router::Captures c) {
    if (auto unexpected = unexpected_body(request)) return *unexpected;
    return change_backends_of_node(desired, streams, c[0], &DrainRequest::undrain);
  });
}

}  // namespace penstock
