// ICMP errors about translated packets: the packet that they quote is translated back, within a family and
// across (RFC 7915 sections 4.2, 4.3, 5.2, 5.3).
#pragma once

#include "dataplane/nat/ip_packet.h"

namespace penstock {

/// Finds the TCP or UDP packet that an ICMP or ICMPv6 error quotes: with its ports at least. kPending or why
/// it cannot be used: kIcmp (no error message, or not about TCP or UDP), kTruncated (not in one piece),
/// kIcmpUnknownFlow (wrong checksum, or the quote is not readable).
[[nodiscard]] Outcome read_icmp_error(const IpPacket& error, IpPacket& quoted) noexcept;

struct IcmpErrorRewrite {
  NatTuple error;                 // addresses and family that the error gets; ports do not matter
  NatTuple quoted_before;         // what the quoted packet has
  NatTuple quoted_after;          // what it gets
  std::uint16_t mtu_reserve = 0;  // bytes by which packets grow here, beyond what the families differ
  std::uint16_t identification = 0;
};

/// Rewrites the error that read_icmp_error has accepted, and ages it; afterwards error.ip is its beginning.
/// kPending, or kIcmp: the other family knows no such error, RFC 7915 has it dropped.
[[nodiscard]] Outcome rewrite_icmp_error(IpPacket& error, IpPacket& quoted,
                                         const IcmpErrorRewrite& rewrite) noexcept;

}  // namespace penstock
