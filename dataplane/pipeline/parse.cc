#include "dataplane/pipeline/parse.h"

namespace penstock {

using namespace parse_detail;

namespace {

constexpr std::uint8_t kHopByHop = 0;
constexpr std::uint8_t kRouting = 43;
constexpr std::uint8_t kDestinationOptions = 60;
constexpr int kMaxExtensionHeaders = 4;
constexpr std::uint32_t kExtensionUnit = 8;
constexpr std::uint32_t kSctp = 12;
constexpr std::uint32_t kIcmp = sizeof(IcmpHeader);

// Bytes of the frame behind the Ethernet header, whether or not in one piece.
std::uint32_t frame_payload(const PacketView& p) noexcept { return p.length + p.more - kEthernet; }

// May `bytes` of a header be read that begins `offset` behind the IP header's first byte? kPending: yes.
// A header that the packet has, but not in its first segment, is as good as cut.
Outcome check_header(const PacketView& p, const Headers& h, std::uint32_t offset,
                     std::uint32_t bytes) noexcept {
  if (h.ip_length < offset + bytes) return Outcome::kBadLength;
  return p.length - kEthernet < offset + bytes ? Outcome::kTruncated : kPending;
}

std::uint32_t least_transport(std::uint8_t protocol) noexcept {
  switch (protocol) {
    case kProtoTcp:
      return sizeof(TcpHeader);
    case kProtoUdp:
      return sizeof(UdpHeader);
    case kProtoSctp:
      return kSctp;
    case kProtoIcmp:
    case kProtoIcmpv6:
      return kIcmp;
    default:
      return 0;
  }
}

// The last questions, alike for both families: is there a transport header to balance by, and time to live?
// A protocol without ports has ports of 0, which only services of every port match.
Outcome read_upper(const PacketView& p, OddHeaders& out) noexcept {
  Headers& h = out.headers;
  if (h.ip_length < out.transport) return Outcome::kBadLength;
  const Outcome whole = check_header(p, h, out.transport, least_transport(h.protocol));
  if (h.protocol == kProtoIcmp || h.protocol == kProtoIcmpv6) {
    if (h.protocol != (h.is_v6 ? kProtoIcmpv6 : kProtoIcmp) || out.aside == Aside::kFragment)
      return Outcome::kIcmp;
    out.aside = Aside::kIcmp;
    return whole;
  }
  if (whole != kPending) return whole;
  const std::uint8_t* transport = p.data + kEthernet + out.transport;
  h.kind = PacketKind::kUdp;
  if (h.protocol == kProtoTcp) {
    read_transport(h, transport, transport[kTcpFlagsOffset]);
  } else if (h.protocol == kProtoUdp || h.protocol == kProtoSctp) {
    std::memcpy(&h.ports_raw, transport, sizeof h.ports_raw);
  } else if (h.protocol == kHopByHop) {
    return Outcome::kNoSuchService;  // no protocol at all; the classifier knows VIPs under this number
  }
  return out.ttl <= 1 ? Outcome::kTtlExpired : kPending;
}

// Lengths that cannot be (RFC 791, RFC 8200 section 4.5).
bool is_sound(const FragmentPart& part) noexcept {
  return part.length != 0 && part.end() <= kMaxDatagram && (!part.more || part.length % 8 == 0);
}

// TCP's flags must not come from another fragment than its ports, in whatever order the parts arrive
// (RFC 1858, section 3; RFC 3128).
bool is_tiny_attack(const OddHeaders& out) noexcept {
  return out.headers.protocol == kProtoTcp && out.fragment.offset == 8;
}

Outcome read_fragment(const PacketView& p, OddHeaders& out) noexcept {
  out.aside = Aside::kFragment;
  if (!is_sound(out.fragment)) return Outcome::kBadLength;
  if (out.fragment.is_first()) return read_upper(p, out);
  const std::uint8_t protocol = out.headers.protocol;
  if (!out.headers.is_v6) {
    if (protocol == kProtoIcmp || protocol == kProtoIcmpv6) return Outcome::kIcmp;
    if (is_tiny_attack(out)) return Outcome::kFragmentOverlap;
  }
  return out.ttl <= 1 ? Outcome::kTtlExpired : kPending;
}

OddHeaders parse_odd_v4(const PacketView& p) noexcept {
  OddHeaders out;
  if (p.length < kEthernet + kIpv4) return {{}, Outcome::kTruncated, false};
  const auto& ip = *reinterpret_cast<const Ipv4Header*>(p.data + kEthernet);
  if (ip.version_ihl >> 4 != 4) return {{}, Outcome::kBadHeader, false};
  out.transport = 4U * (ip.version_ihl & 0xf);
  out.ttl = ip.ttl;
  out.headers.addresses = ip.source.bytes.data();
  out.headers.ip_length = ip.total_length.host();
  out.headers.protocol = ip.protocol;
  if (out.transport < kIpv4) {
    out.verdict = Outcome::kBadHeader;
  } else if (out.headers.ip_length < out.transport) {
    out.verdict = Outcome::kBadLength;
  } else if (out.headers.ip_length > frame_payload(p) || out.transport > p.length - kEthernet) {
    out.verdict = Outcome::kTruncated;
  } else if ((ip.fragment.raw() & kFragmentRaw) != 0) {
    const std::uint16_t word = ip.fragment.host();
    out.fragment = {ip.id.raw(), 8U * (word & kIpv4OffsetMask), out.headers.ip_length - out.transport,
                    (word & kIpv4MoreFragments) != 0};
    out.verdict = read_fragment(p, out);
  } else {
    out.verdict = read_upper(p, out);
  }
  return out;
}

// A routing header that still has hops to visit would send the packet away from the VIP; only routers along
// such a path may act on it. With none left it is skipped, of whatever type (RFC 8200 section 4.4, RFC 5095).
bool wants_routing(const std::uint8_t* extension) noexcept { return extension[3] != 0; }

// A fragment header: the packet is a fragment, unless it is atomic (RFC 6946).
FragmentPart fragment_of(const OddHeaders& out, const std::uint8_t* extension) noexcept {
  const std::uint32_t offset_and_flags = std::uint32_t{extension[2]} << 8 | extension[3];
  std::uint32_t id;
  std::memcpy(&id, extension + 4, sizeof id);
  return {id, offset_and_flags & 0xfff8, out.headers.ip_length - out.transport, (offset_and_flags & 1) != 0};
}

// Walks the extension headers; afterwards the protocol is what follows them, or a later fragment's first.
Outcome read_extensions(const PacketView& p, OddHeaders& out) noexcept {
  Headers& h = out.headers;
  for (int i = 0;; ++i) {
    const std::uint8_t type = h.protocol;
    const bool options = type == kHopByHop || type == kDestinationOptions || type == kRouting;
    if (!options && type != kProtoFragment) break;
    // Hop-by-hop options stand first or not at all (RFC 8200 section 4.1).
    if (i == kMaxExtensionHeaders || (type == kHopByHop && i != 0)) return Outcome::kExtensionHeader;
    const Outcome whole = check_header(p, h, out.transport, kExtensionUnit);
    if (whole != kPending) return whole;
    const std::uint8_t* extension = p.data + kEthernet + out.transport;
    if (type == kRouting && wants_routing(extension)) return Outcome::kExtensionHeader;
    h.protocol = extension[0];
    if (options) {
      out.transport += kExtensionUnit * (extension[1] + 1U);
      continue;
    }
    if (out.aside == Aside::kFragment) return Outcome::kExtensionHeader;  // a fragment of a fragment
    out.transport += kExtensionUnit;
    const FragmentPart part = fragment_of(out, extension);
    if (part.is_first() && !part.more) continue;
    out.fragment = part;
    out.aside = Aside::kFragment;
    if (!part.is_first()) break;
  }
  return out.aside == Aside::kFragment ? read_fragment(p, out) : read_upper(p, out);
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
  out.transport = kIpv6;
  out.ttl = ip.hop_limit;
  out.verdict = out.headers.ip_length > frame_payload(p) ? Outcome::kTruncated : read_extensions(p, out);
  return out;
}

}  // namespace

OddHeaders parse_odd(const PacketView& p) noexcept {
  if (p.length < kEthernet) return {{}, Outcome::kTruncated, false};
  std::uint16_t ether_type;
  std::memcpy(&ether_type, p.data + 12, sizeof ether_type);
  if (ether_type == be16(kEtherTypeIpv4).raw()) return parse_odd_v4(p);
  if (ether_type == be16(kEtherTypeIpv6).raw()) return parse_odd_v6(p);
  return {{}, Outcome::kNotVip, false};  // ARP, LLDP, more tags than two
}

}  // namespace penstock
