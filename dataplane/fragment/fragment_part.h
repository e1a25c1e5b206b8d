// What one IP fragment says of itself and of its datagram.
#pragma once

#include <cstdint>

namespace penstock {

/// IPv4: RFC 791; IPv6: RFC 8200, section 4.5. Lengths and offsets in bytes.
struct FragmentPart {
  std::uint32_t id = 0;      // identification, as on the wire
  std::uint32_t offset = 0;  // of the payload in its datagram: a multiple of 8 below 65536
  std::uint32_t length = 0;  // of the payload: > 0; a multiple of 8 if `more`
  bool more = false;         // not the last one

  [[nodiscard]] bool is_first() const noexcept { return offset == 0; }
  [[nodiscard]] std::uint32_t end() const noexcept { return offset + length; }
};

/// No datagram is longer (an IPv4 one less, an IPv6 jumbogram is never fragmented).
inline constexpr std::uint32_t kMaxDatagram = 65535;

}  // namespace penstock
