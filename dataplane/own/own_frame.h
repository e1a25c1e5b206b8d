// Frames of the gateway's own as they lie in the rings between the workers and whoever asks backends.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "penstock/base/units.h"
#include "penstock/net/addr.h"

namespace penstock {

inline constexpr std::size_t kOwnFrameBytes =
    1000;  // the longest that leaves, and what is kept of one that comes

/// On its way out: a whole frame, from the Ethernet header on.
struct alignas(64) OutFrame {
  std::uint32_t length = 0;
  std::uint16_t egress_port = 0;  // NextHop::port
  std::array<std::uint8_t, kOwnFrameBytes> bytes;
};

/// Come back: to a port of ours, TCP or UDP over IPv4 or IPv6, its lengths checked. Everything else in it is
/// the sender's word.
struct alignas(64) InFrame {
  Nanoseconds arrived;          // begin of the poll that found it
  std::uint16_t length = 0;     // bytes from the Ethernet header on, padding not counted
  std::uint16_t transport = 0;  // where the transport header begins
  std::uint16_t network = 0;    // and the IP header
  std::uint8_t protocol = 0;    // kProtoTcp or kProtoUdp
  bool is_v6 = false;
  bool is_whole = true;  // false: the packet goes on beyond `length`
  std::array<std::uint8_t, kOwnFrameBytes> bytes;

  [[nodiscard]] IpAddr source() const;
  [[nodiscard]] IpAddr destination() const;
  [[nodiscard]] std::uint16_t source_port() const;
  [[nodiscard]] std::uint16_t destination_port() const;
  /// From the transport header on; at least 8 bytes of UDP, 20 of TCP.
  [[nodiscard]] std::span<const std::uint8_t> segment() const {
    return std::span(bytes).first(length).subspan(transport);
  }
};

}  // namespace penstock
