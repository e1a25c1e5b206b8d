#include "dataplane/pipeline/stages.h"
#include "penstock/net/headers.h"

namespace penstock {

namespace {

constexpr std::uint32_t kEthernet = sizeof(EthernetHeader);
constexpr std::uint32_t kIpv4 = sizeof(Ipv4Header);
constexpr std::uint32_t kIpv6 = sizeof(Ipv6Header);
constexpr std::uint32_t kTcp = sizeof(TcpHeader);
constexpr std::uint32_t kUdp = sizeof(UdpHeader);
constexpr std::uint32_t kTcpFlagsOffset = 13;

constexpr std::uint16_t kFragmentRaw = be16(kIpv4MoreFragments | kIpv4OffsetMask).raw();

std::uint16_t load16(const std::uint8_t* at) noexcept {
  std::uint16_t value;
  __builtin_memcpy(&value, at, sizeof value);
  return value;
}
std::uint32_t load32(const std::uint8_t* at) noexcept {
  std::uint32_t value;
  __builtin_memcpy(&value, at, sizeof value);
  return value;
}

// By the low three TCP flags: FIN 1, SYN 2, RST 4. RST goes before SYN, SYN before FIN.
constexpr PacketKind kKindOfFlags[8] = {PacketKind::kAck, PacketKind::kFin, PacketKind::kSyn,
                                        PacketKind::kSyn, PacketKind::kRst, PacketKind::kRst,
                                        PacketKind::kRst, PacketKind::kRst};

bool is_transport(std::uint8_t protocol) noexcept { return protocol == kProtoTcp || protocol == kProtoUdp; }
std::uint32_t least_transport(std::uint8_t protocol) noexcept { return protocol == kProtoTcp ? kTcp : kUdp; }

void read_transport(PacketView& p, const std::uint8_t* transport) noexcept {
  p.ports_raw = load32(transport);
  p.kind = p.protocol == kProtoTcp ? kKindOfFlags[transport[kTcpFlagsOffset] & 7] : PacketKind::kUdp;
}

// The last questions, alike for both families: is there a transport header to balance by, and time to live?
void finish(PacketView& p, std::uint32_t headers, std::uint8_t ttl) noexcept {
  if (p.protocol == kProtoIcmp || p.protocol == kProtoIcmpv6) {
    p.defect = Outcome::kIcmp;
  } else if (!is_transport(p.protocol)) {
    p.defect = Outcome::kNoSuchService;
  } else if (p.ip_length < headers + least_transport(p.protocol)) {
    p.defect = Outcome::kBadLength;
  } else {
    read_transport(p, p.data + kEthernet + headers);
    if (ttl <= 1) p.defect = Outcome::kTtlExpired;
  }
}

// Everything that the plain case below does not take: options, fragments, ICMP, garbage.
[[gnu::cold, gnu::noinline]] void parse_odd_v4(PacketView& p) noexcept {
  if (p.length < kEthernet + kIpv4) {
    p.outcome = Outcome::kTruncated;
    return;
  }
  const auto& ip = *reinterpret_cast<const Ipv4Header*>(p.data + kEthernet);
  const std::uint32_t headers = 4U * (ip.version_ihl & 0xf);
  p.is_v6 = false;
  p.protocol = ip.protocol;
  p.traffic_class = ip.dscp_ecn;
  p.ip_length = ip.total_length.host();
  if (ip.version_ihl >> 4 != 4) {
    p.outcome = Outcome::kBadHeader;  // then its destination means nothing either
  } else if (headers < kIpv4) {
    p.defect = Outcome::kBadHeader;
  } else if (p.ip_length < headers) {
    p.defect = Outcome::kBadLength;
  } else if (p.ip_length > p.length - kEthernet) {
    p.defect = Outcome::kTruncated;
  } else if ((ip.fragment.raw() & kFragmentRaw) != 0) {
    p.defect = Outcome::kFragment;
  } else {
    finish(p, headers, ip.ttl);
  }
}

constexpr std::uint8_t kHopByHop = 0;
constexpr std::uint8_t kDestinationOptions = 60;
constexpr std::uint8_t kRouting = 43;
constexpr int kMaxExtensionHeaders = 4;

[[gnu::cold, gnu::noinline]] void parse_odd_v6(PacketView& p) noexcept {
  if (p.length < kEthernet + kIpv6) {
    p.outcome = Outcome::kTruncated;
    return;
  }
  const auto& ip = *reinterpret_cast<const Ipv6Header*>(p.data + kEthernet);
  const std::uint32_t word = ip.version_class_label.host();
  p.is_v6 = true;
  p.protocol = ip.next_header;
  p.traffic_class = static_cast<std::uint8_t>(word >> 20);
  p.ip_length = kIpv6 + ip.payload_length.host();
  if (word >> 28 != 6) {
    p.outcome = Outcome::kBadHeader;
    return;
  }
  if (p.ip_length > p.length - kEthernet) {
    p.defect = Outcome::kTruncated;
    return;
  }
  std::uint32_t headers = kIpv6;
  for (int i = 0; p.protocol == kHopByHop || p.protocol == kDestinationOptions; ++i) {
    if (i == kMaxExtensionHeaders || p.ip_length < headers + 8) {
      p.defect = i == kMaxExtensionHeaders ? Outcome::kExtensionHeader : Outcome::kBadLength;
      return;
    }
    const std::uint8_t* extension = p.data + kEthernet + headers;
    p.protocol = extension[0];
    headers += 8U * (extension[1] + 1U);
  }
  if (p.protocol == kProtoFragment) {
    p.defect = Outcome::kFragment;
  } else if (p.protocol == kRouting) {
    p.defect = Outcome::kExtensionHeader;
  } else {
    finish(p, headers, ip.hop_limit);
  }
}

void parse_v4(PacketView& p) noexcept {
  if (p.length < kEthernet + kIpv4 + kUdp) [[unlikely]]
    return parse_odd_v4(p);
  const auto& ip = *reinterpret_cast<const Ipv4Header*>(p.data + kEthernet);
  const std::uint32_t ip_length = ip.total_length.host();
  // One branch for all that ought to be so; no && so that it stays one.
  const bool plain = (ip.version_ihl == 0x45) & ((ip.fragment.raw() & kFragmentRaw) == 0) & (ip.ttl > 1) &
                     ((ip.protocol == kProtoTcp) | (ip.protocol == kProtoUdp)) &
                     (ip_length <= p.length - kEthernet) &
                     (ip_length >= kIpv4 + least_transport(ip.protocol));
  if (!plain) [[unlikely]]
    return parse_odd_v4(p);
  p.is_v6 = false;
  p.protocol = ip.protocol;
  p.traffic_class = ip.dscp_ecn;
  p.ip_length = ip_length;
  read_transport(p, p.data + kEthernet + kIpv4);
}

void parse_v6(PacketView& p) noexcept {
  if (p.length < kEthernet + kIpv6 + kUdp) [[unlikely]]
    return parse_odd_v6(p);
  const auto& ip = *reinterpret_cast<const Ipv6Header*>(p.data + kEthernet);
  const std::uint32_t payload = ip.payload_length.host();
  const std::uint32_t word = ip.version_class_label.host();
  const bool plain = (word >> 28 == 6) & (ip.hop_limit > 1) &
                     ((ip.next_header == kProtoTcp) | (ip.next_header == kProtoUdp)) &
                     (payload <= p.length - kEthernet - kIpv6) & (payload >= least_transport(ip.next_header));
  if (!plain) [[unlikely]]
    return parse_odd_v6(p);
  p.is_v6 = true;
  p.protocol = ip.next_header;
  p.traffic_class = static_cast<std::uint8_t>(word >> 20);
  p.ip_length = kIpv6 + payload;
  read_transport(p, p.data + kEthernet + kIpv6);
}

}  // namespace

void parse(Burst& burst) noexcept {
  // The outer headers go into the line in front of the packet; ask for both while the first ones are parsed.
  for (std::uint32_t i = 0; i < burst.count; ++i) {
    __builtin_prefetch(burst.packets[i].data, 1);
    __builtin_prefetch(burst.packets[i].data - 64, 1);
  }
  std::uint32_t live = 0;
  for (std::uint32_t i = 0; i < burst.count; ++i) {
    PacketView& p = burst.packets[i];
    p.outcome = kPending;
    p.defect = kPending;
    p.service = kNoServiceIndex;
    p.backend = kNoBackend;
    p.new_flow = false;
    const std::uint16_t ether_type = p.length >= kEthernet ? load16(p.data + 12) : 0;
    if (ether_type == be16(kEtherTypeIpv4).raw()) {
      parse_v4(p);
    } else if (ether_type == be16(kEtherTypeIpv6).raw()) {
      parse_v6(p);
    } else {
      // ARP, LLDP, VLAN-tagged: a tagged frame belongs to a sub-interface, and those are the kernel's.
      p.outcome = p.length >= kEthernet ? Outcome::kNotVip : Outcome::kTruncated;
    }
    burst.live[live] = static_cast<std::uint8_t>(i);
    live += p.outcome == kPending;
  }
  burst.live_count = live;
}

}  // namespace penstock
