#include "controlplane/api/weight_document.h"

#include <cmath>
#include <map>
#include <string_view>

#include "controlplane/api/seconds_ago.h"
#include "controlplane/model/service_names.h"

namespace penstock {
namespace {

using load::Binding;
using load::Dimension;
using load::WeightState;
using nlohmann::json;

/// Null for what is no number.
json number(double value) { return std::isfinite(value) ? json(value) : json(); }

const char* name(Binding binding) {
  switch (binding) {
    case Binding::kNothing:
      return "nothing";
    case Binding::kUtilization:
      return "utilization";
    case Binding::kCapacity:
      return "capacity";
    case Binding::kLower:
      return "min_share";
    case Binding::kUpper:
      return "max_share";
    case Binding::kLatency:
      return "latency";
    case Binding::kMoney:
      return "money";
    case Binding::kEnergy:
      return "energy";
    case Binding::kParked:
      return "parked";
    case Binding::kAffinity:
      return "affinity";
  }
  return "nothing";
}

const char* name(WeightState state) {
  switch (state) {
    case WeightState::kStatic:
      return "static";
    case WeightState::kFollowing:
      return "following";
    case WeightState::kHolding:
      return "holding";
    case WeightState::kDecaying:
      return "decaying";
    case WeightState::kOverridden:
      return "overridden";
    case WeightState::kParked:
      return "parked";
    case WeightState::kUnusable:
      return "unusable";
  }
  return "static";
}

const char* state_of(const Backend& backend) {
  if (backend.weight_override) return "overridden";
  return backend.drain || backend.maintenance ? "unusable" : "static";
}

json objective_json(const load::Objective& objective) {
  return {{"balance", objective.balance},
          {"latency", objective.latency},
          {"money", objective.money},
          {"energy", objective.energy}};
}

json cost_json(const load::UnitCost& cost) {
  json out = json::object();
  for (std::size_t k = 0; k < load::kDimensions; ++k) {
    if (!std::isfinite(cost.per_flow_rate[k]) || cost.per_flow_rate[k] == 0) continue;
    out[load::name_of(static_cast<Dimension>(k))] = cost.per_flow_rate[k];
  }
  return out;
}

json explanation_json(const load::Explanation& e) {
  const char* dimension = load::name_of(e.dimension);
  const bool measured = std::isfinite(e.utilization);
  return {{"target_share", number(e.target_share)},
          {"measured_share", number(e.measured_share)},
          {"binding", name(e.binding)},
          {"dimension", measured ? json(dimension) : json()},
          {"utilization", measured ? json{{dimension, e.utilization}} : json::object()},
          {"predicted_utilization", number(e.predicted_utilization)},
          {"cost", cost_json(e.cost)},
          {"cost_confidence", number(e.cost.confidence)},
          {"latency",
           {{"base_seconds", number(e.latency.base)},
            {"queue_seconds", number(e.latency.queue)},
            {"confidence", number(e.latency.confidence)}}},
          {"affinity", number(e.affinity)},
          {"telemetry_age_seconds", number(e.telemetry_age)},
          {"state", name(e.state)}};
}

json backend_json(const Backend& backend, const BackendWeight& weight) {
  json out = {{"id", backend.id},
              {"address", backend.address.text()},
              {"state", state_of(backend)},
              {"weight", weight.weight},
              {"configured_weight", backend.weight},
              {"weight_override", backend.weight_override ? json(*backend.weight_override) : json()}};
  if (weight.planned != nullptr) out.update(explanation_json(*weight.planned));
  return out;
}

/// The service's plan; null when there is none, or none but the configured weights.
const load::ServicePlan* plan_of(const Service& service, const WeightSnapshot& snapshot) {
  const load::ServiceIndex index = snapshot.find(service.id);
  if (index == load::kNone || index >= snapshot.plan.services.size()) return nullptr;
  const load::ServicePlan& plan = snapshot.plan.services[index];
  return plan.weights.empty() ? nullptr : &plan;
}

}  // namespace

std::vector<BackendWeight> backend_weights(const Service& service, const WeightSnapshot& snapshot) {
  std::map<std::string_view, const load::Explanation*> planned;
  if (const load::ServicePlan* plan = plan_of(service, snapshot)) {
    for (const load::PlacementIndex placement : plan->backends) {
      if (placement >= snapshot.plan.explanations.size() || placement >= snapshot.fleet->backends.size())
        continue;
      planned.emplace(snapshot.fleet->backends[placement].id, &snapshot.plan.explanations[placement]);
    }
  }
  std::vector<BackendWeight> out;
  for (const Backend& backend : service.backends) {
    const auto found = planned.find(backend.id);
    BackendWeight& weight = out.emplace_back();
    if (found != planned.end()) {
      weight = {found->second, found->second->weight};
    } else if (!backend.drain) {
      weight.weight = backend.weight_override.value_or(backend.weight);
    }
  }
  return out;
}

json explain_weights(const Service& service, const WeightPolicy& policy, const WeightSnapshot& snapshot) {
  const load::ServicePlan* plan = plan_of(service, snapshot);
  json out = {{"service", service.id},
              {"policy", policy.id},
              {"kind", name_of(policy.kind)},
              {"planned", plan != nullptr},
              {"backends", json::array()}};
  const auto weights = backend_weights(service, snapshot);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    out["backends"].push_back(backend_json(service.backends[i], weights[i]));
  }
  if (plan == nullptr) return out;
  out["objective"] = objective_json(snapshot.fleet->services[snapshot.find(service.id)].objective);
  out["planned_seconds_ago"] = seconds_ago(snapshot.planned_at);
  out["version"] = snapshot.version;
  out["gateways"] = snapshot.gateways;
  out["gateways_in_force"] = snapshot.in_force;
  out["new_flows_per_second"] = number(plan->demand);
  out["workload"] = {{"class", load::name_of(plan->workload)},
                     {"learned", plan->workload_learned},
                     {"confidence", number(plan->workload_confidence)}};
  out["law"] = {{"delay_seconds", number(plan->delay_seconds)},
                {"delay_periods", number(plan->delay_periods)},
                {"gain", number(plan->gain)},
                {"gain_bound", number(plan->gain_bound)}};
  out["solver"] = {{"value", number(snapshot.plan.objective_value)},
                   {"gap", number(snapshot.plan.gap)},
                   {"step_seconds", number(snapshot.step_seconds)},
                   {"parked_nodes", snapshot.plan.parked},
                   {"feasible", snapshot.plan.feasible}};
  return out;
}

json to_json(const load::WeightInstant& instant) {
  json backends = json::array();
  for (const load::WeightPoint& point : instant.backends) {
    backends.push_back({{"id", point.backend},
                        {"weight", point.weight},
                        {"target_share", number(point.target_share)},
                        {"measured_share", number(point.measured_share)},
                        {"utilization", number(point.utilization)},
                        {"telemetry_age_seconds", number(point.telemetry_age)}});
  }
  return {{"time", instant.time}, {"backends", std::move(backends)}};
}

}  // namespace penstock
