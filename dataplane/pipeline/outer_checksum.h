// The checksum of an outer UDP header, mostly without reading what it covers: the segment of an inner TCP or
// UDP packet that has a checksum sums to the complement of its pseudo header, so the headers tell the sum of
// all (local checksum offload, RFC 1071 arithmetic). An error in the inner segment makes the outer checksum
// wrong as well, and stays an error. Every other inner packet is summed.
#pragma once

#include <cstdint>

#include "penstock/net/byteorder.h"

namespace penstock {

struct OuterUdp {
  const std::uint8_t* ip;   // the outer IP header
  const std::uint8_t* udp;  // its checksum field is 0
  bool is_v6;
};
struct InnerPacket {
  const std::uint8_t* ip;
  std::uint32_t length;  // bytes of the IP packet
  std::uint32_t more;    // how many of its last bytes are elsewhere and cannot be read
  bool is_v6;
};

/// Never 0, unless `more` is not 0 and the inner packet would have to be summed: then 0, no checksum, which
/// RFC 768 and, for tunnels over IPv6, RFC 6935 allow. Inner headers must be sound, as parse leaves them.
[[nodiscard]] be16 outer_udp_checksum(const OuterUdp& outer, const InnerPacket& inner) noexcept;

}  // namespace penstock
