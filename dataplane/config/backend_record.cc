#include "dataplane/config/backend_record.h"

#include <cstring>

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
// Computing it would mean summing the inner packet.
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

void set_headers(BackendRecord& record, Encap encap, bool inner_v6, const IpAddr& address,
                 const NextHop& hop) {
  const std::uint8_t inner_protocol = inner_v6 ? kProtoIpv6 : kProtoIpip;
  const std::uint8_t protocol = encap == Encap::kGue ? kProtoUdp : inner_protocol;
  std::uint8_t* at = const_cast<std::uint8_t*>(record.first_header());
  at = put(at, EthernetHeader{hop.destination, hop.source,
                              be16(address.is_v6() ? kEtherTypeIpv6 : kEtherTypeIpv4)});
  if (address.is_v6()) {
    at = put(at, outer_v6(protocol, hop, address));
  } else {
    const Ipv4Header ip = outer_v4(protocol, hop, address);
    record.checksum_base = checksum_fold_raw(checksum_add(0, &ip, sizeof ip));
    at = put(at, ip);
  }
  if (encap == Encap::kGue) put_gue(at, inner_protocol, address.is_v6());
}

}  // namespace

std::optional<MacAddr> BackendRecord::next_hop_mac() const {
  if (!has(kResolved)) return std::nullopt;
  MacAddr mac;
  std::memcpy(mac.bytes.data(), first_header(), mac.bytes.size());
  return mac;
}

BackendRecord make_backend_record(const ServiceDocument& service, ServiceIndex service_index,
                                  const BackendDocument& backend, const NextHop* next_hop) {
  BackendRecord record;
  const bool v6 = backend.address.is_v6();
  record.service = service_index;
  record.flags = BackendRecord::kLive;
  if (backend.effective_weight() > 0) record.flags |= BackendRecord::kTakesNewFlows;
  if (v6) record.flags |= BackendRecord::kOuterV6;
  if (service.encap == Encap::kGue) record.flags |= BackendRecord::kGue;
  record.overhead = static_cast<std::uint8_t>(outer_overhead(service.encap, v6));
  if (next_hop != nullptr && next_hop->outer_source.is_v6() == v6) {
    record.flags |= BackendRecord::kResolved;
    record.mtu = next_hop->mtu;
    record.egress_port = next_hop->port;
    set_headers(record, service.encap, service.key.vip.is_v6(), backend.address, *next_hop);
  }
  return record;
}

}  // namespace penstock
