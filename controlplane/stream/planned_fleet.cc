#include "controlplane/stream/planned_fleet.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>

namespace penstock {
namespace {

load::PolicyKind kind_of(WeightPolicyKind kind) {
  switch (kind) {
    case WeightPolicyKind::kStatic:
      return load::PolicyKind::kStatic;
    case WeightPolicyKind::kLeastLoad:
      return load::PolicyKind::kLeastLoad;
    case WeightPolicyKind::kLatency:
      return load::PolicyKind::kLatency;
    case WeightPolicyKind::kCost:
      return load::PolicyKind::kCost;
    case WeightPolicyKind::kEnergy:
      return load::PolicyKind::kEnergy;
    case WeightPolicyKind::kCustom:
      return load::PolicyKind::kCustom;
  }
  return load::PolicyKind::kStatic;
}

/// nullopt: learned.
std::optional<load::WorkloadClass> class_of(WorkloadClass work) {
  switch (work) {
    case WorkloadClass::kAuto:
      return std::nullopt;
    case WorkloadClass::kLatencySensitive:
      return load::WorkloadClass::kLatencySensitive;
    case WorkloadClass::kThroughput:
      return load::WorkloadClass::kThroughput;
    case WorkloadClass::kBatch:
      return load::WorkloadClass::kBatch;
  }
  return std::nullopt;
}

load::PlannerService planned(const Service& service, const WeightPolicy* policy) {
  load::PlannerService out;
  out.id = service.id;
  out.priority = service.workload.priority;
  out.latency_objective = service.workload.latency_objective_ms / 1000;
  out.workload = class_of(service.workload.work);
  out.zone = service.preference.zone;
  out.zone_strict = service.preference.zone_strict;
  out.labels = {service.preference.labels.begin(), service.preference.labels.end()};
  if (policy == nullptr) return out;
  out.policy = kind_of(policy->kind);
  out.objective = load::objective_of(out.policy);
  if (policy->kind == WeightPolicyKind::kCustom) {
    out.objective = {policy->coefficients.balance, policy->coefficients.latency, policy->coefficients.money,
                     policy->coefficients.energy};
  }
  out.min_share = policy->min_share;
  out.max_share = policy->max_share;
  out.budget_per_hour = policy->budget_per_hour;
  out.min_awake = policy->min_awake;
  out.deadband = policy->deadband;
  out.slew = policy->slew;
  return out;
}

/// 0 when there is no such label, or it is no number.
double number_in(const google::protobuf::Map<std::string, std::string>& labels, const char* name) {
  const auto found = labels.find(name);
  double value = 0;
  if (found == labels.end()) return 0;
  const std::string& text = found->second;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc{} && end == text.data() + text.size();
  return whole && std::isfinite(value) && value > 0 ? value : 0;
}

double positive(const proto::Measurement& measured) {
  return std::isfinite(measured.value()) && measured.value() > 0 ? measured.value() : 0;
}

load::PlannerNode planned(const ObservedNode& node) {
  load::PlannerNode out;
  out.id = node.id;
  if (!node.status) return out;
  const auto& labels = node.status->labels();
  out.labels = {labels.begin(), labels.end()};
  if (const auto zone = labels.find("zone"); zone != labels.end()) out.zone = zone->second;
  out.idle_watts = number_in(labels, "idle-watts");
  out.busy_watts = number_in(labels, "busy-watts");
  const double kwh = positive(node.status->load().energy_price_per_kwh());
  out.price_per_hour = positive(node.status->load().price_per_hour()) + out.idle_watts / 1000 * kwh;
  out.price_per_load_hour = out.busy_watts / 1000 * kwh;
  return out;
}

auto fields(const load::PlannerNode& n) {
  return std::tie(n.id, n.zone, n.labels, n.capacity, n.price_per_hour, n.price_per_load_hour, n.idle_watts,
                  n.busy_watts);
}
auto fields(const load::PlannerService& s) {
  return std::tie(s.id, s.policy, s.objective.balance, s.objective.latency, s.objective.money,
                  s.objective.energy, s.latency_objective, s.priority, s.min_share, s.max_share, s.workload,
                  s.budget_per_hour, s.min_awake, s.deadband, s.slew, s.zone, s.zone_strict, s.labels);
}
auto fields(const load::PlannerBackend& b) {
  return std::tie(b.id, b.service, b.node, b.configured_weight, b.override_weight, b.usable,
                  b.running_weight);
}

template <class Entry>
bool same(const std::vector<Entry>& a, const std::vector<Entry>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Entry& x, const Entry& y) { return fields(x) == fields(y); });
}

}  // namespace

bool has_moving_weights(const DesiredState& state) {
  return std::any_of(state.services.begin(), state.services.end(), [&](const auto& entry) {
    const WeightPolicy* policy = find_policy(state, entry.second->policy);
    return policy != nullptr && policy->kind != WeightPolicyKind::kStatic;
  });
}

PlannedFleet planned_fleet(const DesiredState& state, std::span<const ObservedNode> nodes,
                           const std::function<bool(const Service&, std::size_t)>& usable) {
  PlannedFleet out;
  std::unordered_map<IpAddr, load::NodeIndex> by_address;
  for (const ObservedNode& node : nodes) {
    const auto index = static_cast<load::NodeIndex>(out.fleet.nodes.size());
    out.fleet.nodes.push_back(planned(node));
    for (const IpAddr& address : node.addresses) by_address.emplace(address, index);
    if (node.connected && node.status) out.agents.push_back({index, node.last_seen, node.status.get()});
  }
  for (const auto& [id, service] : state.services) {
    const auto service_index = static_cast<load::ServiceIndex>(out.fleet.services.size());
    out.fleet.services.push_back(planned(*service, find_policy(state, service->policy)));
    for (std::size_t i = 0; i < service->backends.size(); ++i) {
      const Backend& backend = service->backends[i];
      const auto [node, is_new] =
          by_address.emplace(backend.address, static_cast<load::NodeIndex>(out.fleet.nodes.size()));
      if (is_new) out.fleet.nodes.emplace_back().id = backend.address.text();
      out.places[{id, backend.id}] = {static_cast<load::PlacementIndex>(out.fleet.backends.size()),
                                      node->second};
      load::PlannerBackend& planned = out.fleet.backends.emplace_back();
      planned.id = backend.id;
      planned.service = service_index;
      planned.node = node->second;
      planned.configured_weight = backend.weight;
      planned.override_weight = backend.weight_override;
      planned.usable = !backend.drain && !backend.maintenance && usable(*service, i);
    }
  }
  return out;
}

bool same_fleet(const load::PlannerFleet& a, const load::PlannerFleet& b) {
  return same(a.nodes, b.nodes) && same(a.services, b.services) && same(a.backends, b.backends);
}

proto::UpdateWeightsRequest weights_of(const load::PlannerFleet& fleet, const load::Plan& plan) {
  proto::UpdateWeightsRequest out;
  for (std::size_t s = 0; s < plan.services.size() && s < fleet.services.size(); ++s) {
    const load::ServicePlan& service = plan.services[s];
    if (service.weights.empty()) continue;
    const bool all_zero =
        std::all_of(service.weights.begin(), service.weights.end(), [](auto weight) { return weight == 0; });
    proto::ServiceWeights& told = *out.add_services();
    told.set_service(fleet.services[s].id);
    for (std::size_t i = 0; i < service.weights.size(); ++i) {
      const load::PlannerBackend& backend = fleet.backends[service.backends[i]];
      proto::BackendWeight& weight = *told.add_backends();
      weight.set_backend(backend.id);
      weight.set_weight(all_zero ? static_cast<std::uint32_t>(backend.configured_weight)
                                 : service.weights[i]);
    }
  }
  return out;
}

}  // namespace penstock
