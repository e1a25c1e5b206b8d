#include "controlplane/model/desired_state.h"

namespace penstock {

DesiredState apply(const DesiredState& state, const Change& change) {
  DesiredState next = state;
  ++next.generation;
  for (const std::string& id : change.delete_services) next.services.erase(id);
  for (const auto& service : change.put_services) next.services[service->id] = service;
  for (const std::string& id : change.delete_gateways) next.gateways.erase(id);
  for (const GatewayPolicy& gateway : change.put_gateways) next.gateways[gateway.id] = gateway;
  return next;
}

}  // namespace penstock
