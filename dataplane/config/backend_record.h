// What encap needs to know about one backend: ready-made outer headers, so that the hot path only copies them
// and patches lengths, traffic class, checksum and entropy.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "dataplane/config/document.h"
#include "dataplane/config/next_hops.h"
#include "dataplane/config/vip_classifier.h"
#include "penstock/net/headers.h"

namespace penstock {

/// The headers are right-aligned: narrow ones end at byte 64 and all is one cache line, wide ones (over IPv6,
/// and VXLAN) at byte 128. They start with Ethernet. Fields that depend on the packet are zero in them.
struct alignas(64) BackendRecord {
  static constexpr std::uint16_t kLive = 1;           // the index belongs to a backend
  static constexpr std::uint16_t kTakesNewFlows = 2;  // neither drained nor of weight 0
  static constexpr std::uint16_t kResolved = 4;  // a next hop is known; without it the headers are not set
  static constexpr std::uint16_t kOuterV6 = 8;
  static constexpr std::uint16_t kUdp = 16;   // an outer UDP header: GUE, VXLAN
  static constexpr std::uint16_t kWide = 32;  // the headers end at byte 128
  static constexpr std::uint16_t kUdpChecksum = 64;
  static constexpr std::uint16_t kFragmentOuter = 128;  // TooBig::kFragment
  static constexpr std::uint16_t kLinkOnly = 256;       // no header but Ethernet's: L2DSR, NAT
  static constexpr std::uint16_t kDrainOver = 512;      // its flows are to end: BackendDocument::drain_over

  ServiceIndex service = kNoServiceIndex;
  std::uint16_t plain_mtu = 0;      // `mtu` if copying and patching headers is all there is to do, or else 0
  std::uint16_t mtu = 0;            // longest outer IP packet; 0 while unresolved
  std::uint16_t checksum_base = 0;  // folded sum of the outer IPv4 header as it stands here
  std::uint8_t overhead = 0;        // bytes in front of the IP packet, without the outer Ethernet header
  std::uint8_t egress_port = 0;
  std::uint16_t flags = 0;
  std::uint8_t headers[114] = {};

  [[nodiscard]] bool has(std::uint16_t flag) const noexcept { return (flags & flag) != 0; }
  /// The Ethernet header.
  [[nodiscard]] const std::uint8_t* first_header() const noexcept {
    return reinterpret_cast<const std::uint8_t*>(this) + (has(kWide) ? 128 : 64) - overhead - 14;
  }
  /// GUE: the backend's address as on the wire, also while unresolved.
  [[nodiscard]] const std::uint8_t* outer_destination() const noexcept {
    return first_header() + sizeof(EthernetHeader) +
           (has(kOuterV6) ? offsetof(Ipv6Header, destination) : offsetof(Ipv4Header, destination));
  }
  /// Where the packets leave for; nothing while unresolved.
  [[nodiscard]] std::optional<MacAddr> next_hop_mac() const;
};
static_assert(sizeof(BackendRecord) == 128, "two cache lines, the second for wide headers only");
static_assert(offsetof(BackendRecord, headers) == 14,
              "50 bytes of Ethernet, IPv4, UDP and GUE end at byte 64");

/// Bytes that the service's encapsulation puts in front of an IP packet, the outer Ethernet header not
/// counted.
[[nodiscard]] std::size_t outer_overhead(const ServiceDocument& service, bool outer_v6);

/// next_hop: nullptr while unresolved. In L2DSR a backend behind a router counts as unresolved: the router
/// would send the packet back to the VIP.
[[nodiscard]] BackendRecord make_backend_record(const ServiceDocument& service, ServiceIndex service_index,
                                                const BackendDocument& backend, const NextHop* next_hop);

}  // namespace penstock
