// Ports and checksums of TCP and UDP, when addresses and ports of a packet are exchanged.
#pragma once

#include "dataplane/nat/ip_packet.h"

namespace penstock {

/// Is the transport header whole, and sound as far as translating it goes? kPending or why not; other
/// protocols are kNatUnknownFlow.
[[nodiscard]] Outcome check_transport(const IpPacket& packet) noexcept;

/// Gives the packet the ports of `to`, and the checksum that it needs with the addresses of `to` instead of
/// those of `from` (what the packet has now). Before write_ip_header. What is cut off is left out: of a
/// quoted packet nothing but the ports may be there.
/// False: UDP without a checksum to IPv6, which needs one, and not all of the datagram is here to sum up.
[[nodiscard]] bool exchange_ports(IpPacket& packet, const NatTuple& from, const NatTuple& to) noexcept;

}  // namespace penstock
