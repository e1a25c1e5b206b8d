// What encap needs to know about one backend: ready-made outer headers, so that the hot path only copies them
// and patches lengths, traffic class, checksum and entropy.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "dataplane/config/document.h"
#include "dataplane/config/next_hops.h"
#include "dataplane/config/vip_classifier.h"

namespace penstock {

/// The headers are right-aligned: over IPv4 they end at byte 64 and all is one cache line, over IPv6 at byte
/// 128. They start with Ethernet. Fields that depend on the packet are zero in them.
struct alignas(64) BackendRecord {
  static constexpr std::uint8_t kLive = 1;           // the index belongs to a backend
  static constexpr std::uint8_t kTakesNewFlows = 2;  // neither drained nor of weight 0
  static constexpr std::uint8_t kResolved = 4;  // a next hop is known; without it the headers are not set
  static constexpr std::uint8_t kOuterV6 = 8;
  static constexpr std::uint8_t kGue = 16;

  ServiceIndex service = kNoServiceIndex;
  std::uint16_t mtu = 0;  // longest outer IP packet
  std::uint16_t egress_port = 0;
  std::uint16_t checksum_base = 0;  // folded sum of the outer IPv4 header as it stands here
  std::uint8_t overhead = 0;        // bytes of outer headers, without Ethernet
  std::uint8_t flags = 0;
  std::uint8_t unused[2] = {};
  std::uint8_t headers[114] = {};

  [[nodiscard]] bool has(std::uint8_t flag) const noexcept { return (flags & flag) != 0; }
  /// The Ethernet header.
  [[nodiscard]] const std::uint8_t* first_header() const noexcept {
    return reinterpret_cast<const std::uint8_t*>(this) + (has(kOuterV6) ? 128 : 64) - overhead - 14;
  }
  /// Where the packets leave for; nothing while unresolved.
  [[nodiscard]] std::optional<MacAddr> next_hop_mac() const;
};
static_assert(sizeof(BackendRecord) == 128, "two cache lines, the second for IPv6 only");
static_assert(offsetof(BackendRecord, headers) == 14,
              "50 bytes of Ethernet, IPv4, UDP and GUE end at byte 64");

/// Bytes that this encapsulation puts in front of an IP packet.
[[nodiscard]] constexpr std::size_t outer_overhead(Encap encap, bool outer_v6) {
  return (outer_v6 ? 40 : 20) + (encap == Encap::kGue ? 16 : 0);
}

/// next_hop: nullptr while unresolved.
[[nodiscard]] BackendRecord make_backend_record(const ServiceDocument& service, ServiceIndex service_index,
                                                const BackendDocument& backend, const NextHop* next_hop);

}  // namespace penstock
