// PROXY protocol version 2 on a translated TCP connection (haproxy.org, "The PROXY protocol", section 2.2):
// the backend reads who the client is before the first byte of the client's stream.
//
// Theory of operation
// - The header is L = 28 (IPv4) or 52 (IPv6) bytes at the client's sequence number ISN + 1. Every packet of
//   the client that begins there carries it until the backend has acknowledged it: the pure ACK that ends the
//   handshake becomes a data packet, data gets it in front. So the client's retransmissions repair its loss;
//   if that ACK itself is lost, the backend's next SYN-ACK draws another.
// - All later packets of the client are moved by L, the backend's acknowledgments (SACK blocks too) back by
//   L. The client is never told of more bytes than it has sent: within the header an acknowledgment is
//   ISN + 1.
// - The SYN-ACK's MSS tells the client L less, so that header and data fit one packet. Data and fast-open
//   options on a SYN are taken away: they would come before the header. The client sends the data again.
//
// Sequence numbers wrap; the distance to ISN + 1 is only taken as small until an acknowledgment has gone 2^30
// beyond it.
#pragma once

#include <cstdint>

#include "dataplane/nat/ip_packet.h"

namespace penstock {

/// Of one connection. All zero: no PROXY protocol, packets pass as they are.
struct ProxyStream {
  enum class Phase : std::uint8_t { kNone, kUnacknowledged, kAcknowledged, kFar };

  std::uint32_t first = 0;  // ISN + 1, host order
  std::uint8_t length = 0;  // L
  Phase phase = Phase::kNone;
  bool sent = false;

  /// L by the client's family.
  static constexpr std::uint8_t header_bytes(bool v6) noexcept { return v6 ? 52 : 28; }

  // Packets passed below have a whole TCP header (tcp_header_length).

  /// A SYN of the client, before it is translated.
  void begin(IpPacket& syn) noexcept;

  /// Any later packet of the client, before it is translated. client: its addresses and ports, which the
  /// header tells. Needs 52 bytes of room in front of the IP header.
  void pass_client(IpPacket& packet, const NatTuple& client) noexcept;

  /// Bytes by which pass_client will lengthen the packet.
  [[nodiscard]] std::uint32_t growth(const IpPacket& packet) const noexcept;

  /// A packet of the backend, before it is translated.
  void pass_backend(IpPacket& packet) noexcept;

  /// A packet that pass_client has let pass, as an ICMP error quotes it: of its TCP header only the ports
  /// need be there.
  void restore_quoted(IpPacket& quoted) const noexcept;

  /// Bytes by which the next packet may become longer than the client believes.
  [[nodiscard]] std::uint16_t mtu_reserve() const noexcept {
    return phase == Phase::kUnacknowledged ? length : std::uint16_t{0};
  }

 private:
  void prepend(IpPacket& packet, const NatTuple& client) noexcept;
  [[nodiscard]] std::uint32_t client_acknowledgment(std::uint32_t acknowledgment) const noexcept;
};

}  // namespace penstock
