#include "dataplane/nat/transport.h"

#include <cstddef>
#include <cstring>

#include "dataplane/nat/checksum_change.h"
#include "dataplane/nat/tcp_header.h"

namespace penstock {

namespace {

// The pseudo-headers of both families sum up alike but for the addresses: the rest of IPv6's is zeros.
ChecksumChange difference(const NatTuple& from, const NatTuple& to) noexcept {
  ChecksumChange change;
  change.remove(from.source.data(), 32);
  change.remove(&from.source_port, 4);
  change.add(to.source.data(), 32);
  change.add(&to.source_port, 4);
  return change;
}
static_assert(offsetof(NatTuple, destination) == 16 && offsetof(NatTuple, destination_port) == 34,
              "addresses and ports are summed up as 32 and 4 bytes in a row");

// RFC 7915 section 4.5. The ports are in place.
bool put_udp_checksum(IpPacket& packet, const NatTuple& to) noexcept {
  UdpHeader udp;
  std::memcpy(&udp, packet.transport, sizeof udp);
  const std::uint32_t length = udp.length.host();
  if (length < sizeof udp || length > packet.present) return false;
  std::uint64_t sum = checksum_add(0, to.source.data(), 32);
  sum += be16(kProtoUdp).raw() + udp.length.raw();
  const be16 computed = checksum_finish(checksum_add(sum, packet.transport, length));
  udp.checksum = computed.raw() == 0 ? be16::from_raw(0xffff) : computed;
  std::memcpy(packet.transport, &udp, sizeof udp);
  return true;
}

}  // namespace

Outcome check_transport(const IpPacket& packet) noexcept {
  if (packet.protocol == kProtoTcp) {
    if (tcp_header_length(packet) != 0) return kPending;
    return packet.length < sizeof(TcpHeader) ? Outcome::kBadLength : Outcome::kBadHeader;
  }
  if (packet.protocol != kProtoUdp) return Outcome::kNatUnknownFlow;
  return packet.present < sizeof(UdpHeader) ? Outcome::kBadLength : kPending;
}

bool exchange_ports(IpPacket& packet, const NatTuple& from, const NatTuple& to) noexcept {
  std::memcpy(packet.transport, &to.source_port, 4);
  const bool udp = packet.protocol == kProtoUdp;
  const std::size_t field = udp ? offsetof(UdpHeader, checksum) : offsetof(TcpHeader, checksum);
  if (packet.present < field + 2) return true;
  const ChecksumChange change = difference(from, to);
  if (!udp) {
    change.apply(packet.transport + field);
    return true;
  }
  const bool absent = packet.transport[field] == 0 && packet.transport[field + 1] == 0;
  if (absent && to.v6 && !from.v6) return put_udp_checksum(packet, to);
  change.apply_udp(packet.transport + field);
  return true;
}

}  // namespace penstock
