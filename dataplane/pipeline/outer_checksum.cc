#include "dataplane/pipeline/outer_checksum.h"

#include <cstddef>
#include <cstring>
#include <optional>

#include "penstock/net/checksum.h"
#include "penstock/net/headers.h"

namespace penstock {

namespace {

struct Segment {
  std::uint32_t offset = 0;    // from the IP header
  std::uint32_t protocol = 0;  // 0: none that carries a checksum of all its bytes
};

Segment segment_of(const InnerPacket& inner) noexcept {
  if (inner.is_v6) return {sizeof(Ipv6Header), inner.ip[offsetof(Ipv6Header, next_header)]};
  const auto& ip = *reinterpret_cast<const Ipv4Header*>(inner.ip);
  const bool is_fragment = (ip.fragment.host() & (kIpv4MoreFragments | kIpv4OffsetMask)) != 0;
  return {4U * (ip.version_ihl & 0xf), is_fragment ? std::uint8_t{0} : ip.protocol};
}

bool has_checksum(const std::uint8_t* transport, std::uint32_t protocol, std::uint32_t length) noexcept {
  if (protocol == kProtoTcp) return length >= sizeof(TcpHeader);
  if (protocol != kProtoUdp || length < sizeof(UdpHeader)) return false;
  const auto& udp = *reinterpret_cast<const UdpHeader*>(transport);
  return udp.checksum != be16() && udp.length.host() == length;  // it covers udp.length bytes
}

std::uint64_t sum_addresses(const std::uint8_t* ip, bool is_v6) noexcept {
  return is_v6 ? checksum_add(0, ip + offsetof(Ipv6Header, source), 32)
               : checksum_add(0, ip + offsetof(Ipv4Header, source), 8);
}

std::uint64_t sum_pseudo_header(const std::uint8_t* ip, bool is_v6, std::uint32_t protocol,
                                std::uint32_t length) noexcept {
  return sum_addresses(ip, is_v6) + be16(static_cast<std::uint16_t>(protocol)).raw() +
         be16(static_cast<std::uint16_t>(length)).raw();
}

std::optional<std::uint64_t> sum_of(const InnerPacket& inner) noexcept {
  const Segment segment = segment_of(inner);
  const std::uint32_t length = inner.length - segment.offset;
  if (has_checksum(inner.ip + segment.offset, segment.protocol, length)) {
    const std::uint16_t pseudo =
        checksum_fold_raw(sum_pseudo_header(inner.ip, inner.is_v6, segment.protocol, length));
    return checksum_add(static_cast<std::uint16_t>(~pseudo), inner.ip, segment.offset);
  }
  if (inner.more != 0) return std::nullopt;
  return checksum_add(0, inner.ip, inner.length);
}

}  // namespace

be16 outer_udp_checksum(const OuterUdp& outer, const InnerPacket& inner) noexcept {
  const auto sum = sum_of(inner);
  if (!sum) return be16();
  const auto headers = static_cast<std::uint32_t>(inner.ip - outer.udp);
  const std::uint64_t pseudo = sum_pseudo_header(outer.ip, outer.is_v6, kProtoUdp, headers + inner.length);
  const be16 result = checksum_finish(checksum_add(*sum + pseudo, outer.udp, headers));
  return result == be16() ? be16(0xffff) : result;
}

}  // namespace penstock
