#include "controlplane/model/desired_state.h"

namespace penstock {

DesiredState apply(const DesiredState& state, const Change& change) {
  DesiredState next = state;
  ++next.generation;
  for (const std::string& id : change.delete_services) next.services.erase(id);
  for (const auto& service : change.put_services) next.services[service->id] = service;
  for (const std::string& id : change.delete_gateways) next.gateways.erase(id);
  for (const GatewayPolicy& gateway : change.put_gateways) next.gateways[gateway.id] = gateway;
  for (const std::string& id : change.delete_policies) next.policies.erase(id);
  for (const WeightPolicy& policy : change.put_policies) next.policies[policy.id] = policy;
  return next;
}

const WeightPolicy* find_policy(const DesiredState& state, std::string_view id) {
  if (const WeightPolicy* built_in = built_in_policy(id)) return built_in;
  const auto found = state.policies.find(id);
  return found == state.policies.end() ? nullptr : &found->second;
}

}  // namespace penstock
