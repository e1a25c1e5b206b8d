#include "controlplane/model/wire.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "controlplane/model/health_wire.h"
#include "controlplane/model/service_names.h"
#include "penstock/abi/gue.h"
#include "penstock/base/derived_key.h"

namespace penstock {
namespace {

// The wire numbers protocols as IANA does, and so does VipKey.
static_assert(proto::TCP == kProtoTcp && proto::UDP == kProtoUdp && proto::SCTP == kProtoSctp &&
              proto::ANY_PROTOCOL == kAnyProtocol);
proto::Protocol wire_protocol(const Service& service) {
  return static_cast<proto::Protocol>(service.key.protocol);
}

proto::Encap wire_encap(const Service& service) {
  switch (service.encap) {
    case Encap::kGue:
      return proto::GUE;
    case Encap::kIpip:
      return proto::IPIP;
    case Encap::kGre:
      return proto::GRE;
    case Encap::kVxlan:
      return proto::VXLAN;
    case Encap::kL2dsr:
      return proto::L2DSR;
    case Encap::kNat:
      return proto::NAT;
  }
  return proto::ENCAP_UNSPECIFIED;
}

proto::SecondChance wire_second_chance(const Service& service) {
  switch (service.second_chance) {
    case SecondChance::kTcp:
      return proto::SECOND_CHANCE_TCP;
    case SecondChance::kOff:
      return proto::SECOND_CHANCE_OFF;
    case SecondChance::kTcpAndUdp:
      return proto::SECOND_CHANCE_TCP_AND_UDP;
  }
  return proto::SECOND_CHANCE_TCP;
}

/// Whether a node looks for the UDP flows of others, too.
bool searches_udp(const Service& service) {
  return service.encap == Encap::kGue && service.second_chance == SecondChance::kTcpAndUdp;
}

/// The longest hop list that a TCP packet to `backend` carries: hops are of the outer header's family.
/// Services of any protocol have none.
std::uint32_t hop_list(const Service& service, const IpAddr& backend) {
  if (service.second_chance == SecondChance::kOff || service.key.protocol != kProtoTcp) return 0;
  return PENSTOCK_GUE_MAX_HOPS * (backend.is_v6() ? 16 : 4);
}

/// Bytes that a packet grows by on its way to `backend`, where its sender is to leave room for them: not
/// where nothing is added, where gateways fragment, or where no TCP is served.
std::uint32_t overhead(const Service& service, const IpAddr& backend) {
  constexpr std::uint32_t kUdp = 8, kGre = 4, kGreKey = 4, kVxlan = 8, kEthernet = 14;
  constexpr std::uint32_t kGue = sizeof(gue_header) + sizeof(gue_private);
  const bool tcp = service.key.protocol == kProtoTcp || service.key.protocol == kAnyProtocol;
  if (!tcp || service.forwarding.too_big == TooBig::kFragment) return 0;
  const std::uint32_t ip = backend.is_v6() ? 40 : 20;
  switch (service.encap) {
    case Encap::kGue:
      return ip + kUdp + kGue + hop_list(service, backend);
    case Encap::kIpip:
      return ip;
    case Encap::kGre:
      return ip + kGre + (service.forwarding.gre_key ? kGreKey : 0);
    case Encap::kVxlan:
      return ip + kUdp + kVxlan + kEthernet;
    case Encap::kL2dsr:
    case Encap::kNat:
      break;
  }
  return 0;
}

/// moves: a policy moves the weights, and an override with them (dataplane.proto, UpdateWeights); the
/// configured ones are what it is relative to, and come back when it is gone.
void fill(const Backend& backend, bool moves, proto::Backend& out) {
  out.set_id(backend.id);
  out.set_address(backend.address.text());
  out.set_weight(moves ? backend.weight : backend.weight_override.value_or(backend.weight));
  out.set_drain(backend.drain);
  out.set_port(backend.port);
  if (backend.mac != MacAddr{}) out.set_mac(backend.mac.text());
  out.set_quic_server_id(backend.quic_server_id.data(), backend.quic_server_id.size());
  if (backend.drain && backend.drain_policy == DrainPolicy::kReset) {
    out.set_reset_after_unix_seconds(backend.drain_deadline);
  }
  out.set_maintenance(backend.maintenance);
}

void fill(const Forwarding& forwarding, proto::Forwarding& out) {
  out.set_udp_checksum(forwarding.udp_checksum);
  if (forwarding.gre_key) out.set_gre_key(*forwarding.gre_key);
  out.set_vxlan_vni(forwarding.vxlan_vni);
  out.set_too_big(forwarding.too_big == TooBig::kReply ? proto::TOO_BIG_REPLY : proto::TOO_BIG_FRAGMENT);
  out.set_proxy_protocol(forwarding.proxy_protocol);
}

void fill(const QuicConfig& config, proto::QuicLb::Config& out) {
  out.set_rotation(config.rotation);
  out.set_server_id_length(config.server_id_length);
  out.set_nonce_length(config.nonce_length);
  if (config.key) out.set_key(config.key->data(), config.key->size());
}

void fill(const Service& service, bool moves, proto::Service& out) {
  out.set_id(service.id);
  out.set_vip(service.key.vip_text());
  out.set_protocol(wire_protocol(service));
  out.set_port(service.key.port);
  out.set_last_port(service.key.last_port);
  out.set_encap(wire_encap(service));
  out.set_table_size(service.table_size);
  proto::IdleTimeouts& idle = *out.mutable_idle_timeouts();
  idle.set_tcp_syn_seconds(service.idle_timeouts.tcp_syn_seconds);
  idle.set_tcp_established_seconds(service.idle_timeouts.tcp_established_seconds);
  idle.set_tcp_closing_seconds(service.idle_timeouts.tcp_closing_seconds);
  idle.set_udp_seconds(service.idle_timeouts.udp_seconds);
  for (const Backend& backend : service.backends) fill(backend, moves, *out.add_backends());
  if (service.forwarding != Forwarding{}) fill(service.forwarding, *out.mutable_forwarding());
  if (service.affinity != SourceAffinity{}) {
    out.mutable_affinity()->set_ipv4_prefix(service.affinity.ipv4_prefix);
    out.mutable_affinity()->set_ipv6_prefix(service.affinity.ipv6_prefix);
  }
  for (const QuicConfig& config : service.quic) fill(config, *out.mutable_quic()->add_configs());
  out.set_one_shot(service.one_shot);
  out.set_second_chance(wire_second_chance(service));
  if (service.health != Health{}) fill(service.health, *out.mutable_health());
}

/// The service without what tells one of its backends from another.
void fill(const Service& service, std::uint32_t overhead, proto::NodeService& out) {
  out.set_vip(service.key.vip_text());
  out.set_protocol(wire_protocol(service));
  out.set_port(service.key.port);
  out.set_last_port(service.key.last_port);
  out.set_encap(wire_encap(service));
  out.set_overhead(overhead);
  out.set_search_udp(searches_udp(service));
  out.set_service(service.id);
  fill_checks(service.health, out);
}

}  // namespace

proto::DataplaneConfig to_dataplane_config(const DesiredState& state) {
  proto::DataplaneConfig out;
  out.set_epoch(state.epoch);
  out.set_generation(state.generation);
  out.set_hash_key(state.hash_key.data(), state.hash_key.size());
  for (const auto& [id, service] : state.services) {
    const WeightPolicy* policy = find_policy(state, service->policy);
    fill(*service, policy != nullptr && policy->kind != WeightPolicyKind::kStatic, *out.add_services());
  }
  return out;
}

proto::GatewayDirective to_orders(const GatewayPolicy& policy) {
  proto::GatewayDirective out;
  out.set_announce(policy.announce);
  out.set_drain_timeout_seconds(policy.announce ? 0 : policy.drain_timeout_seconds);
  proto::AnnouncePolicy& announce = *out.mutable_policy();
  announce.set_med(policy.med);
  announce.set_bandwidth_mbps(policy.bandwidth_mbps);
  announce.set_bfd_profile(std::string(name_of(policy.bfd_profile)));
  for (const auto& [name, vip] : policy.vips) {
    proto::VipPolicy& to = *announce.add_vips();
    to.set_vip(name);
    if (vip.med) to.set_med(*vip.med);
    to.set_drain(vip.drain);
    to.set_withhold(vip.withhold);
  }
  if (policy.upgrade) {
    out.mutable_upgrade()->set_id(policy.upgrade->id);
    out.mutable_upgrade()->set_drain_timeout_seconds(policy.upgrade->drain_timeout_seconds);
  }
  return out;
}

VipKey ports_of(const proto::NodeServiceStats& service) {
  VipKey key;
  key.protocol = static_cast<std::uint8_t>(service.protocol());
  key.port = static_cast<std::uint16_t>(service.port());
  key.last_port = static_cast<std::uint16_t>(service.last_port());
  return key;
}

NodeIndex::NodeIndex(const DesiredState& state) : generation_(state.generation) {
  const DerivedKey key = derive_key(state.hash_key, kProbeKeyPurpose);
  probe_key_.assign(key.begin(), key.begin() + kProbeKeyBytes);
  for (const auto& [id, service] : state.services) {
    // Backends of NAT see packets to their own addresses only, so they have nothing to accept, only to check.
    const bool nat = service->encap == Encap::kNat;
    if (nat && service->health.checks.empty()) continue;
    for (const Backend& backend : service->backends) {
      const std::uint16_t port = backend.port != 0 ? backend.port : service->key.port;
      by_address_[backend.address].push_back({service, nat ? port : std::uint16_t{0}});
    }
  }
}

proto::NodeDirective NodeIndex::directive(std::span<const IpAddr> addresses) const {
  struct Wanted {
    const Service* service = nullptr;
    std::uint32_t overhead = 0;  // the largest over the node's addresses
  };
  std::map<VipKey, Wanted> services;
  std::map<std::pair<std::string, IpAddr>, const Seat*> nat_targets;
  for (const IpAddr& address : addresses) {
    const auto found = by_address_.find(address);
    if (found == by_address_.end()) continue;
    for (const Seat& seat : found->second) {
      if (seat.service->encap == Encap::kNat) {
        nat_targets.emplace(std::pair(seat.service->id, address), &seat);
        continue;
      }
      Wanted& wanted = services[seat.service->key];
      wanted.service = seat.service.get();
      wanted.overhead = std::max(wanted.overhead, overhead(*seat.service, address));
    }
  }
  proto::NodeDirective out;
  out.set_generation(generation_);
  out.set_probe_key(probe_key_);
  for (const auto& [key, wanted] : services) fill(*wanted.service, wanted.overhead, *out.add_services());
  for (const auto& [target, seat] : nat_targets) {
    proto::NodeCheckTarget& to = *out.add_nat_targets();
    to.set_service(target.first);
    to.set_address(target.second.text());
    to.set_protocol(wire_protocol(*seat->service));
    to.set_port(seat->port);
    fill_checks(seat->service->health, to);
  }
  return out;
}

}  // namespace penstock
