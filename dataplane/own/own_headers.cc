#include "dataplane/own/own_headers.h"

#include <cstring>

#include "penstock/net/checksum.h"
#include "penstock/net/headers.h"

namespace penstock {
namespace {

constexpr std::size_t kEthernet = sizeof(EthernetHeader);
constexpr std::uint8_t kTtl = 64;

template <class Header>
void put(std::uint8_t* at, const Header& header) {
  std::memcpy(at, &header, sizeof header);
}

void put_v4(const NextHop& hop, const IpAddr& destination, std::uint8_t protocol, std::size_t segment_bytes,
            std::uint8_t* at) {
  Ipv4Header ip{};
  ip.version_ihl = 0x45;
  ip.total_length = be16(static_cast<std::uint16_t>(sizeof ip + segment_bytes));
  ip.fragment = be16(kIpv4DontFragment);
  ip.ttl = kTtl;
  ip.protocol = protocol;
  ip.source = hop.outer_source.v4();
  ip.destination = destination.v4();
  ip.checksum = checksum(&ip, sizeof ip);
  put(at, ip);
}

void put_v6(const NextHop& hop, const IpAddr& destination, std::uint8_t protocol, std::size_t segment_bytes,
            std::uint8_t* at) {
  Ipv6Header ip{};
  ip.version_class_label = be32(6U << 28);
  ip.payload_length = be16(static_cast<std::uint16_t>(segment_bytes));
  ip.next_header = protocol;
  ip.hop_limit = kTtl;
  ip.source = hop.outer_source.v6();
  ip.destination = destination.v6();
  put(at, ip);
}

}  // namespace

std::size_t own_headers_bytes(bool is_v6) {
  return kEthernet + (is_v6 ? sizeof(Ipv6Header) : sizeof(Ipv4Header));
}

std::size_t put_own_headers(const NextHop& hop, const IpAddr& destination, std::uint8_t protocol,
                            std::size_t segment_bytes, std::uint8_t* frame) {
  const bool v6 = destination.is_v6();
  put(frame, EthernetHeader{hop.destination, hop.source, be16(v6 ? kEtherTypeIpv6 : kEtherTypeIpv4)});
  (v6 ? put_v6 : put_v4)(hop, destination, protocol, segment_bytes, frame + kEthernet);
  return own_headers_bytes(v6);
}

be16 own_checksum(const std::uint8_t* frame, std::span<const std::uint8_t> segment) {
  const bool v6 = frame[kEthernet] >> 4 == 6;
  const std::uint8_t* const ip = frame + kEthernet;
  const std::uint8_t protocol = ip[v6 ? offsetof(Ipv6Header, next_header) : offsetof(Ipv4Header, protocol)];
  const std::size_t addresses = v6 ? offsetof(Ipv6Header, source) : offsetof(Ipv4Header, source);
  std::uint64_t sum = be16(static_cast<std::uint16_t>(segment.size())).raw() + be16(protocol).raw();
  sum = checksum_add(sum, ip + addresses, 2 * (v6 ? sizeof(Ipv6Addr) : sizeof(Ipv4Addr)));
  const be16 folded = checksum_finish(checksum_add(sum, segment.data(), segment.size()));
  return protocol == kProtoUdp && folded.raw() == 0 ? be16(0xffff) : folded;
}

std::size_t write_own_datagram(const NextHop& hop, const IpAddr& destination, std::uint16_t source_port,
                               std::uint16_t destination_port, std::span<const std::uint8_t> payload,
                               std::uint8_t* frame) {
  UdpHeader udp{};
  const std::size_t length = sizeof udp + payload.size();
  const std::size_t headers = put_own_headers(hop, destination, kProtoUdp, length, frame);
  udp.source_port = be16(source_port);
  udp.destination_port = be16(destination_port);
  udp.length = be16(static_cast<std::uint16_t>(length));
  put(frame + headers, udp);
  std::memcpy(frame + headers + sizeof udp, payload.data(), payload.size());
  if (destination.is_v6()) {
    udp.checksum = own_checksum(frame, {frame + headers, length});
    put(frame + headers, udp);
  }
  return headers + length;
}

}  // namespace penstock
