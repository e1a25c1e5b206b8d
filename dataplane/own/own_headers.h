// The headers of a frame of the gateway's own, to a backend's address or anywhere its next hop leads: as the
// outer headers of that backend's packets have them. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/config/next_hops.h"
#include "penstock/net/addr.h"
#include "penstock/net/byteorder.h"

namespace penstock {

/// Bytes of Ethernet and IP in front of the transport header.
[[nodiscard]] std::size_t own_headers_bytes(bool is_v6);

/// Writes them to `frame`, for a segment of `segment_bytes` behind them. Precondition: hop.outer_source is of
/// destination's family. Don't fragment, TTL 64. Returns own_headers_bytes().
std::size_t put_own_headers(const NextHop& hop, const IpAddr& destination, std::uint8_t protocol,
                            std::size_t segment_bytes, std::uint8_t* frame);

/// The segment's checksum, over the pseudo header of `frame`, in which put_own_headers() wrote. The checksum
/// field of the segment must be zero. For UDP, zero becomes 0xffff (RFC 768).
[[nodiscard]] be16 own_checksum(const std::uint8_t* frame, std::span<const std::uint8_t> segment);

/// A whole UDP datagram, over IPv6 with its checksum (over IPv4 it may go without); returns the frame's
/// length. Room for the headers and the payload.
std::size_t write_own_datagram(const NextHop& hop, const IpAddr& destination, std::uint16_t source_port,
                               std::uint16_t destination_port, std::span<const std::uint8_t> payload,
                               std::uint8_t* frame);

}  // namespace penstock
