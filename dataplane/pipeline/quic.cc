#include "dataplane/pipeline/quic.h"

#include <algorithm>
#include <span>

#include "dataplane/pipeline/parse.h"
#include "dataplane/quic/quic_router.h"

namespace penstock {

namespace {

using namespace parse_detail;

// What lies behind the UDP header in the frame's first piece.
std::span<const std::uint8_t> udp_payload(const PacketView& p) noexcept {
  const std::uint8_t* ip = p.data + kEthernet;
  std::uint32_t headers = kIpv6 + sizeof(UdpHeader);
  if (!p.is_v6) {
    headers = 4U * (ip[0] & 0xf) + sizeof(UdpHeader);
  } else if (ip[offsetof(Ipv6Header, next_header)] != kProtoUdp) {
    headers = parse_odd(p).transport + sizeof(UdpHeader);
  }
  const std::uint32_t bytes = std::min(p.ip_length, p.length - kEthernet);
  if (bytes < headers) return {};
  return {ip + headers, bytes - headers};
}

}  // namespace

BackendIndex find_by_connection_id(const Snapshot& snapshot, const PacketView& packet) noexcept {
  const BackendIndex backend = snapshot.service(packet.service).special->quic->route(udp_payload(packet));
  return snapshot.holds(backend) ? backend : kNoBackend;
}

}  // namespace penstock
