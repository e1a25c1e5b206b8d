// Finds a packet's headers. The plain case (no IP options, no fragment, TCP or UDP, sound lengths) is inlined
// into classify, where the findings stay in registers; everything else is the cold parse_odd.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "dataplane/flow/flow_state.h"
#include "dataplane/fragment/fragment_part.h"
#include "dataplane/pipeline/packet.h"
#include "penstock/net/headers.h"

namespace penstock {

struct Headers {
  const std::uint8_t* addresses;  // source, then destination
  std::uint32_t ports_raw;        // source, then destination, as on the wire
  std::uint32_t ip_length;        // bytes of the IP packet
  std::uint8_t protocol;          // transport protocol
  PacketKind kind;
  bool is_v6;

  [[nodiscard]] const std::uint8_t* vip() const noexcept { return addresses + (is_v6 ? 16 : 4); }
  [[nodiscard]] std::uint16_t destination_port_raw() const noexcept {
    return static_cast<std::uint16_t>(ports_raw >> 16);
  }
};

/// `verdict` is kPending if the packet can be balanced. Otherwise it is the packet's outcome, if the packet
/// is for a VIP; `addressed` false: whom it is for cannot be read, and the verdict is final.
struct OddHeaders {
  Headers headers{};  // of a fragment that is not the first one: no ports
  Outcome verdict = kPending;
  bool addressed = true;
  Aside aside = Aside::kNone;  // of a pending packet: kFragment, kIcmp
  std::uint32_t transport =
      0;                    // bytes of headers in front of the transport's, IPv6 extension headers included
  std::uint8_t ttl = 0;     // or hop limit
  FragmentPart fragment{};  // aside == kFragment
};
/// The packet has no VLAN tags: those were taken off. All its headers must lie in the first segment.
[[nodiscard, gnu::cold]] OddHeaders parse_odd(const PacketView& packet) noexcept;

namespace parse_detail {

inline constexpr std::uint32_t kEthernet = sizeof(EthernetHeader);
inline constexpr std::uint32_t kIpv4 = sizeof(Ipv4Header);
inline constexpr std::uint32_t kIpv6 = sizeof(Ipv6Header);
inline constexpr std::uint32_t kTcpFlagsOffset = 13;
inline constexpr std::uint16_t kFragmentRaw = be16(kIpv4MoreFragments | kIpv4OffsetMask).raw();

/// The transport header must have more bytes than this: TCP 19, UDP 7, any other more than a packet can have.
inline constexpr auto kTransportFloor = [] {
  std::array<std::uint32_t, 256> floor{};
  floor.fill(1U << 31);
  floor[kProtoTcp] = sizeof(TcpHeader) - 1;
  floor[kProtoUdp] = sizeof(UdpHeader) - 1;
  return floor;
}();

/// By the low three TCP flags: FIN 1, SYN 2, RST 4. RST goes before SYN, SYN before FIN. UDP adds 8.
inline constexpr auto kKind = [] {
  using enum PacketKind;
  std::array<PacketKind, 16> kind{kAck, kFin, kSyn, kSyn, kRst, kRst, kRst, kRst};
  for (std::size_t i = 8; i < 16; ++i) kind[i] = kUdp;
  return kind;
}();
static_assert((kProtoUdp & 16) != 0 && (kProtoTcp & 16) == 0, "bit 4 tells UDP from TCP");

inline void read_transport(Headers& h, const std::uint8_t* transport, std::uint8_t flags) noexcept {
  std::memcpy(&h.ports_raw, transport, sizeof h.ports_raw);
  h.kind = kKind[(flags & 7U) | (h.protocol & 16U) >> 1];
}

inline std::uint32_t load32(const std::uint8_t* at) noexcept {
  std::uint32_t raw;
  std::memcpy(&raw, at, sizeof raw);
  return raw;
}

// What has to be looked at lies in two words: ether type, version and header length; fragment, TTL and
// protocol.
inline constexpr std::uint32_t kPlainV4 = be32(std::uint32_t{kEtherTypeIpv4} << 16 | 0x4500).raw();
inline constexpr std::uint32_t kPlainV4Mask = be32(0xffff'ff00).raw();
inline constexpr std::uint32_t kFragmentInWord = be32((kIpv4MoreFragments | kIpv4OffsetMask) << 16).raw();

inline bool parse_plain_v4(const PacketView& p, Headers& h) noexcept {
  const auto& ip = *reinterpret_cast<const Ipv4Header*>(p.data + kEthernet);
  const std::uint8_t* transport = p.data + kEthernet + kIpv4;
  const std::uint32_t word = load32(p.data + kEthernet + offsetof(Ipv4Header, fragment));
  h.ip_length = ip.total_length.host();
  h.protocol = static_cast<std::uint8_t>(word >> 24);
  if ((word & kFragmentInWord) != 0 || (word >> 16 & 0xff) <= 1 || h.ip_length > p.length - kEthernet ||
      h.ip_length <= kIpv4 + kTransportFloor[h.protocol]) {
    return false;
  }
  h.is_v6 = false;
  h.addresses = ip.source.bytes.data();
  read_transport(h, transport, transport[kTcpFlagsOffset]);
  return true;
}

inline bool parse_plain_v6(const PacketView& p, Headers& h) noexcept {
  const auto& ip = *reinterpret_cast<const Ipv6Header*>(p.data + kEthernet);
  const std::uint8_t* transport = p.data + kEthernet + kIpv6;
  const std::uint32_t payload = ip.payload_length.host();
  h.protocol = ip.next_header;
  if (p.data[kEthernet] >> 4 != 6 || ip.hop_limit <= 1 || payload > p.length - kEthernet - kIpv6 ||
      payload <= kTransportFloor[h.protocol]) {
    return false;
  }
  h.is_v6 = true;
  h.ip_length = kIpv6 + payload;
  h.addresses = ip.source.bytes.data();
  read_transport(h, transport, transport[kTcpFlagsOffset]);
  return true;
}

}  // namespace parse_detail

/// False if the packet is not a plain one: then parse_odd() knows more.
inline bool parse_plain(const PacketView& p, Headers& h) noexcept {
  using namespace parse_detail;
  // Enough for either family's addresses, ports and TCP flags; every padded Ethernet frame of IPv4 is.
  if (p.length < kEthernet + kIpv4 + kTcpFlagsOffset + 1) [[unlikely]]
    return false;
  const std::uint32_t word = load32(p.data + 12);
  if ((word & kPlainV4Mask) == kPlainV4) return parse_plain_v4(p, h);
  if (static_cast<std::uint16_t>(word) != be16(kEtherTypeIpv6).raw() ||
      p.length < kEthernet + kIpv6 + kTcpFlagsOffset + 1)
    return false;
  return parse_plain_v6(p, h);
}

}  // namespace penstock
