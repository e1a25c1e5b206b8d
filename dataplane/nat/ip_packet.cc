#include "dataplane/nat/ip_packet.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "dataplane/nat/checksum_change.h"

namespace penstock {

namespace {

constexpr std::uint8_t kHopByHop = 0;
constexpr std::uint8_t kRouting = 43;
constexpr std::uint8_t kDestinationOptions = 60;
constexpr int kMaxExtensionHeaders = 4;
// RFC 7915 section 5.1: IPv4 packets up to this long may be fragmented on their way, longer ones may not.
constexpr std::uint32_t kMayBeFragmented = 1260;

template <class Header>
Header load(const std::uint8_t* at) noexcept {
  Header header;
  std::memcpy(&header, at, sizeof header);
  return header;
}

Outcome read_v4(std::uint8_t* ip, std::uint32_t present, bool quoted, IpPacket& out,
                std::uint32_t& total) noexcept {
  if (present < sizeof(Ipv4Header)) return Outcome::kTruncated;
  const auto header = load<Ipv4Header>(ip);
  out.v6 = false;
  out.header_length = 4U * (header.version_ihl & 0xf);
  out.protocol = header.protocol;
  out.time_to_live = header.ttl;
  out.traffic_class = header.dscp_ecn;
  total = header.total_length.host();
  if (out.header_length < sizeof(Ipv4Header)) return Outcome::kBadHeader;
  const std::uint16_t fragment = header.fragment.host();
  if ((fragment & kIpv4OffsetMask) != 0) return Outcome::kFragment;
  if (!quoted && (fragment & kIpv4MoreFragments) != 0) return Outcome::kFragment;
  return kPending;
}

// Extension headers that say nothing to a translator. A routing header does while it has hops left to visit.
bool is_skipped(std::uint8_t type) noexcept {
  return type == kHopByHop || type == kRouting || type == kDestinationOptions;
}

Outcome read_v6(std::uint8_t* ip, std::uint32_t present, bool quoted, IpPacket& out,
                std::uint32_t& total) noexcept {
  if (present < sizeof(Ipv6Header)) return Outcome::kTruncated;
  const auto header = load<Ipv6Header>(ip);
  out.v6 = true;
  out.header_length = sizeof(Ipv6Header);
  out.protocol = header.next_header;
  out.time_to_live = header.hop_limit;
  out.traffic_class = static_cast<std::uint8_t>(ip[0] << 4 | ip[1] >> 4);
  total = sizeof(Ipv6Header) + header.payload_length.host();
  for (int i = 0;; ++i) {
    const bool fragment = out.protocol == kProtoFragment;
    if (!fragment && !is_skipped(out.protocol)) return kPending;
    if (i == kMaxExtensionHeaders) return Outcome::kExtensionHeader;
    if (present < out.header_length + 8) return Outcome::kTruncated;
    const std::uint8_t* extension = ip + out.header_length;
    if (out.protocol == kRouting && extension[3] != 0) return Outcome::kExtensionHeader;
    // A fragment that is the whole datagram is none (RFC 6946).
    if (fragment && (extension[2] != 0 || (extension[3] & (quoted ? 0xf8 : 0xf9)) != 0))
      return Outcome::kFragment;
    out.protocol = extension[0];
    out.header_length += fragment ? 8U : 8U * (extension[1] + 1U);
  }
}

Outcome read(std::uint8_t* ip, std::uint32_t present, std::uint32_t further, bool quoted,
             IpPacket& out) noexcept {
  if (present == 0) return Outcome::kTruncated;
  std::uint32_t total = 0;
  const unsigned version = ip[0] >> 4;
  if (version != 4 && version != 6) return Outcome::kBadHeader;
  const Outcome read =
      version == 4 ? read_v4(ip, present, quoted, out, total) : read_v6(ip, present, quoted, out, total);
  if (read != kPending) return read;
  if (total < out.header_length) return Outcome::kBadLength;
  if (present < out.header_length || (!quoted && total > present + further)) return Outcome::kTruncated;
  out.ip = ip;
  out.transport = ip + out.header_length;
  out.length = total - out.header_length;
  out.present = std::min(out.length, present - out.header_length);
  return kPending;
}

void put_lengths_and_addresses(IpPacket& packet, std::uint8_t* ip, const NatTuple& to,
                               Ageing ageing) noexcept {
  const std::uint8_t age = ageing == Ageing::kAge ? 1 : 0;
  if (to.v6) {
    auto header = load<Ipv6Header>(ip);
    header.payload_length =
        be16(static_cast<std::uint16_t>(packet.header_length - sizeof(Ipv6Header) + packet.length));
    header.hop_limit = static_cast<std::uint8_t>(header.hop_limit - age);
    header.source.bytes = to.source;
    header.destination.bytes = to.destination;
    std::memcpy(ip, &header, sizeof header);
    return;
  }
  ChecksumChange change;
  change.remove(ip, sizeof(Ipv4Header));
  auto header = load<Ipv4Header>(ip);
  header.total_length = be16(static_cast<std::uint16_t>(packet.header_length + packet.length));
  header.ttl = static_cast<std::uint8_t>(header.ttl - age);
  std::memcpy(header.source.bytes.data(), to.source.data(), 4);
  std::memcpy(header.destination.bytes.data(), to.destination.data(), 4);
  std::memcpy(ip, &header, sizeof header);
  change.add(ip, sizeof(Ipv4Header));
  change.apply(ip + offsetof(Ipv4Header, checksum));
}

// RFC 7915 section 4.1. Packets without DF are treated like those with it: nothing here fragments, so there
// is nothing for a Fragment header to say.
Ipv6Header v6_from_v4(const IpPacket& packet) noexcept {
  Ipv6Header header{};
  header.version_class_label = be32(6U << 28 | std::uint32_t{packet.traffic_class} << 20);
  header.next_header = packet.protocol == kProtoIcmp ? kProtoIcmpv6 : packet.protocol;
  header.hop_limit = packet.time_to_live;
  return header;
}

// RFC 7915 section 5.1.
Ipv4Header v4_from_v6(const IpPacket& packet, std::uint16_t identification) noexcept {
  Ipv4Header header{};
  header.version_ihl = 0x45;
  header.dscp_ecn = packet.traffic_class;
  header.ttl = packet.time_to_live;
  header.protocol = packet.protocol == kProtoIcmpv6 ? kProtoIcmp : packet.protocol;
  if (sizeof(Ipv4Header) + packet.length > kMayBeFragmented) {
    header.fragment = be16(kIpv4DontFragment);
  } else {
    header.id = be16(identification);
  }
  header.checksum = checksum(&header, sizeof header);
  return header;
}

}  // namespace

Outcome read_ip_packet(std::uint8_t* ip, std::uint32_t present, std::uint32_t further,
                       IpPacket& out) noexcept {
  return read(ip, present, further, false, out);
}

Outcome read_quoted_packet(std::uint8_t* ip, std::uint32_t present, IpPacket& out) noexcept {
  return read(ip, present, 0, true, out);
}

NatTuple tuple_of(const IpPacket& packet) noexcept {
  NatTuple tuple;
  tuple.v6 = packet.v6;
  tuple.protocol = packet.protocol;
  const std::uint8_t* addresses =
      packet.ip + (packet.v6 ? offsetof(Ipv6Header, source) : offsetof(Ipv4Header, source));
  std::memcpy(tuple.source.data(), addresses, tuple.address_bytes());
  std::memcpy(tuple.destination.data(), addresses + tuple.address_bytes(), tuple.address_bytes());
  std::memcpy(&tuple.source_port, packet.transport, 2);
  std::memcpy(&tuple.destination_port, packet.transport + 2, 2);
  return tuple;
}

void write_ip_header(IpPacket& packet, const NatTuple& to, Ageing ageing,
                     std::uint16_t identification) noexcept {
  if (packet.v6 == to.v6) {
    // Options and extension headers stay.
  } else if (to.v6) {
    const Ipv6Header header = v6_from_v4(packet);
    packet.header_length = sizeof header;
    packet.ip = packet.transport - sizeof header;
    std::memcpy(packet.ip, &header, sizeof header);
  } else {
    const Ipv4Header header = v4_from_v6(packet, identification);
    packet.header_length = sizeof header;
    packet.ip = packet.transport - sizeof header;
    std::memcpy(packet.ip, &header, sizeof header);
  }
  packet.v6 = to.v6;
  put_lengths_and_addresses(packet, packet.ip, to, ageing);
}

std::uint32_t translated_length(const IpPacket& packet, bool to_v6) noexcept {
  if (packet.v6 == to_v6) return packet.header_length + packet.length;
  return static_cast<std::uint32_t>(to_v6 ? sizeof(Ipv6Header) : sizeof(Ipv4Header)) + packet.length;
}

}  // namespace penstock
