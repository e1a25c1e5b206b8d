// What NAT does to whole frames: a PacketView's bytes as an IP packet, and a translated packet as a frame
// again. Private to nat.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "dataplane/config/backend_record.h"
#include "dataplane/nat/ip_packet.h"
#include "dataplane/nat/nat_table.h"
#include "dataplane/pipeline/packet.h"
#include "penstock/net/headers.h"

namespace penstock::nat_frame {

inline constexpr std::uint32_t kEthernet = sizeof(EthernetHeader);
inline constexpr std::uint32_t kMacs = 12;
inline constexpr std::uint16_t kDefaultMtu = 1500;

inline bool is_icmp(const IpPacket& packet) noexcept {
  return packet.protocol == (packet.v6 ? kProtoIcmpv6 : kProtoIcmp);
}

inline std::uint8_t tcp_flags(const IpPacket& packet) noexcept {
  return packet.protocol == kProtoTcp ? packet.transport[offsetof(TcpHeader, flags)] : std::uint8_t{0};
}

constexpr bool is_syn(std::uint8_t flags) noexcept {
  return (flags & (kTcpSyn | kTcpAck | kTcpRst)) == kTcpSyn;
}

// The longest TCP segment without options that fits an MTU.
constexpr std::uint32_t segment_of(std::uint32_t mtu, bool v6) noexcept {
  const std::uint32_t headers = (v6 ? sizeof(Ipv6Header) : sizeof(Ipv4Header)) + sizeof(TcpHeader);
  return mtu > headers ? mtu - headers : 0;
}

inline Outcome read(PacketView& p, IpPacket& packet) noexcept {
  if (p.length < kEthernet) return Outcome::kTruncated;
  const Outcome read = read_ip_packet(p.data + kEthernet, p.length - kEthernet, p.more, packet);
  if (read != kPending) return read;
  return packet.time_to_live <= 1 ? Outcome::kTtlExpired : kPending;
}

// The frame now begins with 14 bytes in front of packet.ip.
inline void reframe(const IpPacket& packet, PacketView& p) noexcept {
  std::uint8_t* frame = packet.ip - kEthernet;
  p.headroom = static_cast<std::uint32_t>(static_cast<std::int64_t>(p.headroom) + (frame - p.data));
  p.data = frame;
  p.length = kEthernet + packet.header_length + packet.present;
  p.more = packet.length - packet.present;
  p.ip_length = packet.header_length + packet.length;
  p.is_v6 = packet.v6;
}

inline void put_ether_type(const IpPacket& packet, PacketView& p) noexcept {
  const be16 type(packet.v6 ? kEtherTypeIpv6 : kEtherTypeIpv4);
  std::memcpy(p.data + kMacs, &type, sizeof type);
}

inline Outcome to_backend(const BackendRecord& record, const IpPacket& packet, PacketView& p) noexcept {
  reframe(packet, p);
  std::memcpy(p.data, record.first_header(), kEthernet);
  p.egress_port = record.egress_port;
  return Outcome::kForwarded;
}

inline Outcome to_client(const ClientPath& path, const IpPacket& packet, PacketView& p) noexcept {
  reframe(packet, p);
  put_ether_type(packet, p);
  p.data -= path.tag_bytes;
  p.headroom -= path.tag_bytes;
  p.length += path.tag_bytes;
  std::memcpy(p.data, path.macs.data(), kMacs);
  std::memcpy(p.data + kMacs, path.tags.data(), path.tag_bytes);
  p.egress_port = path.port;
  return Outcome::kForwarded;
}

inline ClientPath path_of(const PacketView& p) noexcept {
  ClientPath path;
  std::memcpy(path.macs.data(), p.data + 6, 6);
  std::memcpy(path.macs.data() + 6, p.data, 6);
  path.port = p.ingress_port;
  path.tag_bytes = p.tag_bytes;
  std::memcpy(path.tags.data(), p.tags.data(), p.tag_bytes);
  return path;
}

// A translated packet must fit, and there must be room to write it.
inline Outcome check_room(const PacketView& p, std::uint32_t length, std::uint32_t mtu) noexcept {
  if (length > mtu) return Outcome::kTooBig;
  return p.headroom < kRequiredHeadroom ? Outcome::kNoHeadroom : kPending;
}

}  // namespace penstock::nat_frame
