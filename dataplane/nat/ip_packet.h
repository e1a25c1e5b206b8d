// Where the parts of an IP packet are, and how to write it anew with other addresses.
#pragma once

#include <cstdint>

#include "dataplane/nat/nat_tuple.h"
#include "dataplane/stats/outcome.h"
#include "penstock/net/headers.h"

namespace penstock {

/// Points into the packet's bytes, the transport header right behind the IP headers.
struct IpPacket {
  std::uint8_t* ip = nullptr;         // first byte of the IP header
  std::uint8_t* transport = nullptr;  // first byte behind IP header, options and extension headers
  std::uint32_t header_length = 0;    // bytes between the two
  std::uint32_t length = 0;           // bytes of transport header and payload, as the IP header says
  std::uint32_t present = 0;          // of those, how many are in one piece at `transport`
  std::uint8_t protocol = 0;          // of the transport header
  std::uint8_t time_to_live = 0;
  std::uint8_t traffic_class = 0;
  bool v6 = false;
};

/// kPending: `out` is whole. kTruncated, kBadHeader, kBadLength, kFragment, kExtensionHeader: it is not.
/// Checks nothing behind the IP headers. present: bytes in one piece at `ip`; further: bytes that follow
/// elsewhere.
[[nodiscard]] Outcome read_ip_packet(std::uint8_t* ip, std::uint32_t present, std::uint32_t further,
                                     IpPacket& out) noexcept;

/// As read_ip_packet for the packet that an ICMP error quotes, which may end anywhere behind its IP headers
/// and may be the first fragment of a datagram.
[[nodiscard]] Outcome read_quoted_packet(std::uint8_t* ip, std::uint32_t present, IpPacket& out) noexcept;

/// The tuple of a TCP or UDP packet with at least its ports present.
[[nodiscard]] NatTuple tuple_of(const IpPacket& packet) noexcept;

enum class Ageing : bool { kKeep, kAge };

/// Writes an IP header with the addresses and family of `to` in front of packet.transport, by RFC 7915 where
/// the families differ, and afterwards points packet.ip at it. Within a family options and extension headers
/// stay; across they are left out. Transport checksums are the caller's.
/// identification: of an IPv4 packet made from an IPv6 one that may be fragmented.
void write_ip_header(IpPacket& packet, const NatTuple& to, Ageing ageing,
                     std::uint16_t identification) noexcept;

/// Bytes of the packet that write_ip_header would make.
[[nodiscard]] std::uint32_t translated_length(const IpPacket& packet, bool to_v6) noexcept;

}  // namespace penstock
