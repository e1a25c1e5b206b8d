#include "dataplane/config/backend_record.h"

#include <cstring>
#include <limits>

#include "penstock/abi/gue.h"
#include "penstock/net/checksum.h"
#include "penstock/net/headers.h"

namespace penstock {

namespace {

constexpr std::uint8_t kOuterTtl = 64;

template <class Header>
std::uint8_t* put(std::uint8_t* at, const Header& header) {
  std::memcpy(at, &header, sizeof header);
  return at + sizeof header;
}

// The identification stays 0: with DF set the packet is atomic, and RFC 6864 section 4.1 lets any value
// stand.
Ipv4Header outer_v4(std::uint8_t protocol, const NextHop& hop, const IpAddr& destination) {
  Ipv4Header ip{};
  ip.version_ihl = 0x45;
  ip.fragment = be16(kIpv4DontFragment);
  ip.ttl = kOuterTtl;
  ip.protocol = protocol;
  ip.source = hop.outer_source.v4();
  ip.destination = destination.v4();
  return ip;
}

Ipv6Header outer_v6(std::uint8_t protocol, const NextHop& hop, const IpAddr& destination) {
  Ipv6Header ip{};
  ip.next_header = protocol;
  ip.hop_limit = kOuterTtl;
  ip.source = hop.outer_source.v6();
  ip.destination = destination.v6();
  return ip;
}

// UDP checksum 0, over IPv6 too: the inner packet's own checksums cover everything that the backend acts on,
// and the decapsulator accepts no other outer destination than its host (RFC 6935, RFC 6936 section 4).
// A pool may ask for it all the same (Forwarding.udp_checksum).
std::uint8_t* put_gue(std::uint8_t* at, std::uint8_t inner_protocol, bool hops_v6) {
  UdpHeader udp{};
  udp.destination_port = be16(PENSTOCK_GUE_PORT);
  gue_header gue{};
  gue.version_control_hlen = sizeof(gue_private) / 4;
  gue.protocol = inner_protocol;
  gue_private hops{};
  hops.type = be16(hops_v6 ? PENSTOCK_GUE_HOPS_IPV6 : PENSTOCK_GUE_HOPS_IPV4).raw();
  return put(put(put(at, udp), gue), hops);
}

std::uint8_t* put_gre(std::uint8_t* at, std::uint16_t inner_type, const std::optional<std::uint32_t>& key) {
  at = put(at, GreHeader{be16(key ? kGreHasKey : std::uint16_t{0}), be16(inner_type)});
  return key ? put(at, be32(*key)) : at;
}

std::uint8_t* put_vxlan(std::uint8_t* at, std::uint16_t inner_type, std::uint32_t vni,
                        const MacAddr& destination, const MacAddr& source) {
  UdpHeader udp{};
  udp.destination_port = be16(kVxlanPort);
  at = put(put(at, udp), VxlanHeader{be32(kVxlanHasVni), be32(vni << 8)});
  return put(at, EthernetHeader{destination, source, be16(inner_type)});
}

std::uint16_t ether_type(bool v6) { return v6 ? kEtherTypeIpv6 : kEtherTypeIpv4; }

std::uint8_t outer_protocol(Encap encap, bool inner_v6) {
  switch (encap) {
    case Encap::kGue:
    case Encap::kVxlan:
      return kProtoUdp;
    case Encap::kGre:
      return kProtoGre;
    default:
      return inner_v6 ? kProtoIpv6 : kProtoIpip;
  }
}

void set_headers(BackendRecord& record, const ServiceDocument& service, const BackendDocument& backend,
                 const NextHop& hop) {
  const bool inner_v6 = service.key.vip.is_v6();
  const bool outer_is_v6 = backend.address.is_v6();
  std::uint8_t* at = const_cast<std::uint8_t*>(record.first_header());
  at = put(at, EthernetHeader{hop.destination, hop.source, be16(ether_type(outer_is_v6))});
  if (record.has(BackendRecord::kLinkOnly)) return;
  const std::uint8_t protocol = outer_protocol(service.encap, inner_v6);
  if (outer_is_v6) {
    at = put(at, outer_v6(protocol, hop, backend.address));
  } else {
    const Ipv4Header ip = outer_v4(protocol, hop, backend.address);
    record.checksum_base = checksum_fold_raw(checksum_add(0, &ip, sizeof ip));
    at = put(at, ip);
  }
  const std::uint16_t inner_type = ether_type(inner_v6);
  if (service.encap == Encap::kGue) put_gue(at, inner_v6 ? kProtoIpv6 : kProtoIpip, outer_is_v6);
  if (service.encap == Encap::kGre) put_gre(at, inner_type, service.forwarding.gre_key);
  if (service.encap == Encap::kVxlan) {
    put_vxlan(at, inner_type, service.forwarding.vxlan_vni, backend.mac, hop.source);
  }
}

// Others may pass packets on to a backend that is out of this gateway's reach.
void set_destination(BackendRecord& record, const IpAddr& address) {
  auto* at = const_cast<std::uint8_t*>(record.outer_destination());
  if (address.is_v6()) {
    put(at, address.v6());
  } else {
    put(at, address.v4());
  }
}

std::uint16_t flags_of(const ServiceDocument& service, const BackendDocument& backend) {
  using R = BackendRecord;
  const Encap encap = service.encap;
  const bool v6 = backend.address.is_v6();
  const bool link_only = encap == Encap::kL2dsr || encap == Encap::kNat;
  const auto flag = [](bool set, std::uint16_t value) { return set ? value : std::uint16_t{0}; };
  return static_cast<std::uint16_t>(R::kLive | flag(backend.effective_weight() > 0, R::kTakesNewFlows) |
                                    flag(v6, R::kOuterV6) |
                                    flag(encap == Encap::kGue || encap == Encap::kVxlan, R::kUdp) |
                                    flag(!link_only && (v6 || encap == Encap::kVxlan), R::kWide) |
                                    flag(service.forwarding.udp_checksum, R::kUdpChecksum) |
                                    flag(service.forwarding.too_big == TooBig::kFragment, R::kFragmentOuter) |
                                    flag(link_only, R::kLinkOnly) | flag(backend.drain_over, R::kDrainOver));
}

bool is_usable(const ServiceDocument& service, const BackendDocument& backend, const NextHop* hop) {
  return hop != nullptr && hop->outer_source.is_v6() == backend.address.is_v6() &&
         hop->port <= std::numeric_limits<decltype(BackendRecord::egress_port)>::max() &&
         !(service.encap == Encap::kL2dsr && hop->via_router);
}

}  // namespace

std::size_t outer_overhead(const ServiceDocument& service, bool outer_v6) {
  const std::size_t ip = outer_v6 ? sizeof(Ipv6Header) : sizeof(Ipv4Header);
  switch (service.encap) {
    case Encap::kGue:
      return ip + sizeof(UdpHeader) + sizeof(gue_header) + sizeof(gue_private);
    case Encap::kIpip:
      return ip;
    case Encap::kGre:
      return ip + sizeof(GreHeader) + (service.forwarding.gre_key ? sizeof(be32) : 0);
    case Encap::kVxlan:
      return ip + sizeof(UdpHeader) + sizeof(VxlanHeader) + sizeof(EthernetHeader);
    case Encap::kL2dsr:
    case Encap::kNat:
      return 0;
  }
  return 0;
}

std::optional<MacAddr> BackendRecord::next_hop_mac() const {
  if (!has(kResolved)) return std::nullopt;
  MacAddr mac;
  std::memcpy(mac.bytes.data(), first_header(), mac.bytes.size());
  return mac;
}

BackendRecord make_backend_record(const ServiceDocument& service, ServiceIndex service_index,
                                  const BackendDocument& backend, const NextHop* next_hop) {
  BackendRecord record;
  record.service = service_index;
  record.flags = flags_of(service, backend);
  record.overhead = static_cast<std::uint8_t>(outer_overhead(service, backend.address.is_v6()));
  if (service.encap == Encap::kGue) set_destination(record, backend.address);
  if (!is_usable(service, backend, next_hop)) return record;
  record.flags |= BackendRecord::kResolved;
  record.mtu = next_hop->mtu;
  const bool is_plain =
      !record.has(BackendRecord::kLinkOnly | BackendRecord::kUdpChecksum) && service.encap != Encap::kVxlan;
  if (is_plain) record.plain_mtu = next_hop->mtu;
  record.egress_port = static_cast<std::uint8_t>(next_hop->port);
  set_headers(record, service, backend, *next_hop);
  return record;
}

}  // namespace penstock
