#include "dataplane/probe/direct_frame.h"

#include <cstring>

#include "penstock/net/checksum.h"
#include "penstock/net/headers.h"

namespace penstock {
namespace {

constexpr std::size_t kEthernet = sizeof(EthernetHeader);
constexpr std::uint8_t kTtl = 64;
constexpr std::uint8_t kMssOption = 2;
constexpr std::size_t kMssBytes = 4;

template <class Header>
void put(std::uint8_t* at, const Header& header) {
  std::memcpy(at, &header, sizeof header);
}

void put16(std::uint8_t* at, be16 value) { put(at, value); }

std::size_t ip_header_bytes(bool is_v6) { return is_v6 ? sizeof(Ipv6Header) : sizeof(Ipv4Header); }

std::size_t transport_header_bytes(const DirectPacket& p) {
  if (p.protocol == kProtoUdp) return sizeof(UdpHeader);
  return sizeof(TcpHeader) + (p.mss != 0 ? kMssBytes : 0);
}

void put_ip(const DirectPacket& p, std::size_t length, std::uint8_t* at) {
  if (p.destination.is_v6()) {
    Ipv6Header ip{};
    ip.version_class_label = be32(6U << 28);
    ip.payload_length = be16(static_cast<std::uint16_t>(length - sizeof ip));
    ip.next_header = p.protocol;
    ip.hop_limit = kTtl;
    ip.source = p.source.v6();
    ip.destination = p.destination.v6();
    put(at, ip);
    return;
  }
  Ipv4Header ip{};
  ip.version_ihl = 0x45;
  ip.total_length = be16(static_cast<std::uint16_t>(length));
  ip.fragment = be16(kIpv4DontFragment);
  ip.ttl = kTtl;
  ip.protocol = p.protocol;
  ip.source = p.source.v4();
  ip.destination = p.destination.v4();
  ip.checksum = checksum(&ip, sizeof ip);
  put(at, ip);
}

/// Over the pseudo header of the IP packet at `ip` and the `length` bytes at `segment`.
be16 transport_checksum(const std::uint8_t* ip, bool is_v6, std::uint8_t protocol,
                        const std::uint8_t* segment, std::size_t length) {
  const std::size_t addresses = is_v6 ? offsetof(Ipv6Header, source) : offsetof(Ipv4Header, source);
  std::uint64_t sum = be16(static_cast<std::uint16_t>(length)).raw() + be16(protocol).raw();
  sum = checksum_add(sum, ip + addresses, 2 * (is_v6 ? sizeof(Ipv6Addr) : sizeof(Ipv4Addr)));
  const be16 folded = checksum_finish(checksum_add(sum, segment, length));
  return protocol == kProtoUdp && folded.raw() == 0 ? be16(0xffff) : folded;
}

/// The whole packet, its checksum included.
void put_packet(const DirectPacket& p, std::size_t length, std::uint8_t* ip) {
  const bool v6 = p.destination.is_v6();
  put_ip(p, length, ip);
  std::uint8_t* const segment = ip + ip_header_bytes(v6);
  const std::size_t header = transport_header_bytes(p);
  const std::size_t bytes = header + p.payload.size();
  std::size_t at_checksum = offsetof(UdpHeader, checksum);
  if (p.protocol == kProtoUdp) {
    put(segment, UdpHeader{be16(p.source_port), be16(p.destination_port),
                           be16(static_cast<std::uint16_t>(bytes)), be16(0)});
  } else {
    put(segment,
        TcpHeader{be16(p.source_port), be16(p.destination_port), be32(p.sequence), be32(p.acknowledgment),
                  static_cast<std::uint8_t>(header / 4 << 4), p.flags, be16(0xffff), be16(0), be16(0)});
    if (p.mss != 0) {
      segment[sizeof(TcpHeader)] = kMssOption;
      segment[sizeof(TcpHeader) + 1] = kMssBytes;
      put16(segment + sizeof(TcpHeader) + 2, be16(p.mss));
    }
    at_checksum = offsetof(TcpHeader, checksum);
  }
  if (!p.payload.empty()) std::memcpy(segment + header, p.payload.data(), p.payload.size());
  put16(segment + at_checksum, transport_checksum(ip, v6, p.protocol, segment, bytes));
}

/// What the record leaves open for every packet. `outer`: the IP header, `length` bytes long with all behind
/// it.
void finish_outer(const BackendRecord& record, std::uint16_t entropy, std::size_t length,
                  std::uint8_t* outer) {
  const bool v6 = record.has(BackendRecord::kOuterV6);
  std::uint8_t* const udp = outer + ip_header_bytes(v6);
  const std::size_t behind = length - ip_header_bytes(v6);
  if (v6) {
    put(outer, be32(6U << 28 | entropy));
    put16(outer + offsetof(Ipv6Header, payload_length), be16(static_cast<std::uint16_t>(behind)));
  } else {
    put16(outer + offsetof(Ipv4Header, total_length), be16(static_cast<std::uint16_t>(length)));
    put16(outer + offsetof(Ipv4Header, checksum), be16(0));
    put16(outer + offsetof(Ipv4Header, checksum), checksum(outer, sizeof(Ipv4Header)));
  }
  if (!record.has(BackendRecord::kUdp)) return;
  put16(udp + offsetof(UdpHeader, source_port), be16(static_cast<std::uint16_t>(0xc000 | entropy)));
  put16(udp + offsetof(UdpHeader, length), be16(static_cast<std::uint16_t>(behind)));
  if (!record.has(BackendRecord::kUdpChecksum)) return;
  put16(udp + offsetof(UdpHeader, checksum), be16(0));
  put16(udp + offsetof(UdpHeader, checksum), transport_checksum(outer, v6, kProtoUdp, udp, behind));
}

}  // namespace

std::size_t write_direct_frame(const BackendRecord& record, const DirectPacket& packet,
                               std::span<std::uint8_t> frame) {
  const std::size_t inner =
      ip_header_bytes(packet.destination.is_v6()) + transport_header_bytes(packet) + packet.payload.size();
  const std::size_t headers = kEthernet + record.overhead;
  if (!record.has(BackendRecord::kResolved) || headers + inner > frame.size()) return 0;
  if (record.overhead + inner > record.mtu) return 0;
  std::memcpy(frame.data(), record.first_header(), headers);
  put_packet(packet, inner, frame.data() + headers);
  if (!record.has(BackendRecord::kLinkOnly))
    finish_outer(record, packet.source_port & 0x3fff, record.overhead + inner, frame.data() + kEthernet);
  return headers + inner;
}

}  // namespace penstock
