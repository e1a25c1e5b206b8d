#include "dataplane/pipeline/parse.h"

namespace penstock {

using namespace parse_detail;

namespace {

constexpr std::uint8_t kHopByHop = 0;
constexpr std::uint8_t kDestinationOptions = 60;
constexpr std::uint8_t kRouting = 43;
constexpr int kMaxExtensionHeaders = 4;

// The last questions, alike for both families: is there a transport header to balance by, and time to live?
// headers: bytes of the IP headers, which may be more than the packet has.
Outcome read_upper(const PacketView& p, Headers& h, std::uint32_t headers, std::uint8_t ttl) noexcept {
  if (h.protocol == kProtoIcmp || h.protocol == kProtoIcmpv6) return Outcome::kIcmp;
  if (h.protocol != kProtoTcp && h.protocol != kProtoUdp) return Outcome::kNoSuchService;
  if (h.ip_length <= headers + kTransportFloor[h.protocol]) return Outcome::kBadLength;
  const std::uint8_t* transport = p.data + kEthernet + headers;
  read_transport(h, transport, h.protocol == kProtoTcp ? transport[kTcpFlagsOffset] : std::uint8_t{0});
  return ttl <= 1 ? Outcome::kTtlExpired : kPending;
}

OddHeaders parse_odd_v4(const PacketView& p) noexcept {
  OddHeaders out;
  if (p.length < kEthernet + kIpv4) return {{}, Outcome::kTruncated, false};
  const auto& ip = *reinterpret_cast<const Ipv4Header*>(p.data + kEthernet);
  if (ip.version_ihl >> 4 != 4) return {{}, Outcome::kBadHeader, false};
  const std::uint32_t headers = 4U * (ip.version_ihl & 0xf);
  out.headers.addresses = ip.source.bytes.data();
  out.headers.ip_length = ip.total_length.host();
  out.headers.protocol = ip.protocol;
  if (headers < kIpv4) {
    out.verdict = Outcome::kBadHeader;
  } else if (out.headers.ip_length < headers) {
    out.verdict = Outcome::kBadLength;
  } else if (out.headers.ip_length > p.length - kEthernet) {
    out.verdict = Outcome::kTruncated;
  } else if ((ip.fragment.raw() & kFragmentRaw) != 0) {
    out.verdict = Outcome::kFragment;
  } else {
    out.verdict = read_upper(p, out.headers, headers, ip.ttl);
  }
  return out;
}

// Walks the extension headers; afterwards h.protocol is what follows them.
Outcome read_extensions(const PacketView& p, Headers& h, std::uint8_t hop_limit) noexcept {
  std::uint32_t headers = kIpv6;
  for (int i = 0; h.protocol == kHopByHop || h.protocol == kDestinationOptions; ++i) {
    if (i == kMaxExtensionHeaders) return Outcome::kExtensionHeader;
    if (h.ip_length < headers + 8) return Outcome::kBadLength;
    const std::uint8_t* extension = p.data + kEthernet + headers;
    h.protocol = extension[0];
    headers += 8U * (extension[1] + 1U);
  }
  if (h.protocol == kProtoFragment) return Outcome::kFragment;
  if (h.protocol == kRouting) return Outcome::kExtensionHeader;
  return read_upper(p, h, headers, hop_limit);
}

OddHeaders parse_odd_v6(const PacketView& p) noexcept {
  OddHeaders out;
  if (p.length < kEthernet + kIpv6) return {{}, Outcome::kTruncated, false};
  const auto& ip = *reinterpret_cast<const Ipv6Header*>(p.data + kEthernet);
  if (p.data[kEthernet] >> 4 != 6) return {{}, Outcome::kBadHeader, false};
  out.headers.is_v6 = true;
  out.headers.addresses = ip.source.bytes.data();
  out.headers.ip_length = kIpv6 + ip.payload_length.host();
  out.headers.protocol = ip.next_header;
  out.verdict = out.headers.ip_length > p.length - kEthernet ? Outcome::kTruncated
                                                             : read_extensions(p, out.headers, ip.hop_limit);
  return out;
}

}  // namespace

OddHeaders parse_odd(const PacketView& p) noexcept {
  if (p.length < kEthernet) return {{}, Outcome::kTruncated, false};
  std::uint16_t ether_type;
  std::memcpy(&ether_type, p.data + 12, sizeof ether_type);
  if (ether_type == be16(kEtherTypeIpv4).raw()) return parse_odd_v4(p);
  if (ether_type == be16(kEtherTypeIpv6).raw()) return parse_odd_v6(p);
  // ARP, LLDP, VLAN-tagged: a tagged frame belongs to a sub-interface, and those are the kernel's.
  return {{}, Outcome::kNotVip, false};
}

}  // namespace penstock
