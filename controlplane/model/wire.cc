#include "controlplane/model/wire.h"

#include <map>
#include <string>

namespace penstock {
namespace {

proto::Protocol wire_protocol(const Service& service) {
  return service.key.protocol == kProtoTcp ? proto::TCP : proto::UDP;
}

proto::Encap wire_encap(const Service& service) {
  return service.encap == Encap::kGue ? proto::GUE : proto::IPIP;
}

void fill(const Service& service, proto::Service& out) {
  out.set_id(service.id);
  out.set_vip(service.key.vip.text());
  out.set_protocol(wire_protocol(service));
  out.set_port(service.key.port);
  out.set_encap(wire_encap(service));
  out.set_table_size(service.table_size);
  proto::IdleTimeouts& idle = *out.mutable_idle_timeouts();
  idle.set_tcp_syn_seconds(service.idle_timeouts.tcp_syn_seconds);
  idle.set_tcp_established_seconds(service.idle_timeouts.tcp_established_seconds);
  idle.set_tcp_closing_seconds(service.idle_timeouts.tcp_closing_seconds);
  idle.set_udp_seconds(service.idle_timeouts.udp_seconds);
  for (const Backend& backend : service.backends) {
    proto::Backend& to = *out.add_backends();
    to.set_id(backend.id);
    to.set_address(backend.address.text());
    to.set_weight(backend.weight);
    to.set_drain(backend.drain);
  }
}

}  // namespace

proto::DataplaneConfig to_dataplane_config(const DesiredState& state) {
  proto::DataplaneConfig out;
  out.set_epoch(state.epoch);
  out.set_generation(state.generation);
  out.set_hash_key(state.hash_key.data(), state.hash_key.size());
  for (const auto& [id, service] : state.services) fill(*service, *out.add_services());
  return out;
}

NodeIndex::NodeIndex(const DesiredState& state) : generation_(state.generation) {
  for (const auto& [id, service] : state.services) {
    for (const Backend& backend : service->backends) by_address_[backend.address].push_back(service);
  }
}

proto::NodeDirective NodeIndex::directive(std::span<const IpAddr> addresses) const {
  std::map<VipKey, const Service*> services;
  for (const IpAddr& address : addresses) {
    const auto found = by_address_.find(address);
    if (found == by_address_.end()) continue;
    for (const auto& service : found->second) services.emplace(service->key, service.get());
  }
  proto::NodeDirective out;
  out.set_generation(generation_);
  for (const auto& [key, service] : services) {
    proto::NodeService& to = *out.add_services();
    to.set_vip(key.vip.text());
    to.set_protocol(wire_protocol(*service));
    to.set_port(key.port);
    to.set_encap(wire_encap(*service));
  }
  return out;
}

}  // namespace penstock
