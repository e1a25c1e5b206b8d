#include "dataplane/nat/icmp_error.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "dataplane/nat/icmp_mapping.h"
#include "dataplane/nat/transport.h"
#include "penstock/net/checksum.h"

namespace penstock {

namespace {

// RFC 4443 section 2.4 (c): an error fits the least MTU of IPv6.
constexpr std::uint32_t kMinMtuV6 = 1280;
constexpr std::uint32_t kPorts = 4;

std::uint64_t pseudo_sum_v6(const std::uint8_t* addresses, std::uint32_t length) noexcept {
  return checksum_add(0, addresses, 32) + be16(static_cast<std::uint16_t>(length)).raw() +
         be16(kProtoIcmpv6).raw();
}

bool checksum_holds(const IpPacket& error) noexcept {
  std::uint64_t sum =
      error.v6 ? pseudo_sum_v6(error.ip + offsetof(Ipv6Header, source), error.length) : std::uint64_t{0};
  sum = checksum_add(sum, error.transport, error.length);
  return checksum_fold_raw(sum) == 0xffff;
}

// RFC 4884: errors may carry more behind the quoted packet, and then tell its length, in words of 4 (IPv4) or
// 8 bytes.
std::uint32_t quoted_bytes(const IpPacket& error) noexcept {
  const std::uint32_t all = error.length - static_cast<std::uint32_t>(sizeof(IcmpHeader));
  const std::uint32_t told = error.v6 ? error.transport[4] * 8U : error.transport[5] * 4U;
  const bool tells = error.v6 ? is_extended_v6(error.transport[0]) : is_extended_v4(error.transport[0]);
  return tells && told != 0 ? std::min(all, told) : all;
}

// Fields that say something about the packet's size or place are all that is kept of the second word.
IcmpMeaning meaning_of(const IpPacket& error, const IpPacket& quoted) noexcept {
  IcmpMeaning out;
  out.type = error.transport[0];
  out.code = error.transport[1];
  std::uint32_t raw;
  std::memcpy(&raw, error.transport + 4, sizeof raw);
  const std::uint32_t word = be32::from_raw(raw).host();
  if (error.v6) {
    out.word = out.type == 1 || out.type == 3 ? 0 : word;
    return out;
  }
  if (out.type == 3 && out.code == 4) {
    out.word = word & 0xffff;
    if (out.word == 0) out.word = plateau_below(quoted.header_length + quoted.length);
  } else if (out.type == 12) {
    out.word = word & 0xff00'0000;
  }
  return out;
}

void put_header(std::uint8_t* at, const IcmpMeaning& meaning) noexcept {
  IcmpHeader header{};
  header.type = meaning.type;
  header.code = meaning.code;
  header.rest = be32(meaning.word);
  std::memcpy(at, &header, sizeof header);
}

}  // namespace

Outcome read_icmp_error(const IpPacket& error, IpPacket& quoted) noexcept {
  if (error.length < sizeof(IcmpHeader)) return Outcome::kBadLength;
  if (error.present < sizeof(IcmpHeader)) return Outcome::kTruncated;
  const bool is_error = error.v6 ? is_error_v6(error.transport[0]) : is_error_v4(error.transport[0]);
  if (!is_error) return Outcome::kIcmp;
  if (error.present < error.length) return Outcome::kTruncated;
  if (!checksum_holds(error)) return Outcome::kIcmpUnknownFlow;
  if (read_quoted_packet(error.transport + sizeof(IcmpHeader), quoted_bytes(error), quoted) != kPending ||
      quoted.v6 != error.v6 || quoted.present < kPorts) {
    return Outcome::kIcmpUnknownFlow;
  }
  const bool translated = quoted.protocol == kProtoTcp || quoted.protocol == kProtoUdp;
  return translated ? kPending : Outcome::kIcmp;
}

Outcome rewrite_icmp_error(IpPacket& error, IpPacket& quoted, const IcmpErrorRewrite& rewrite) noexcept {
  IcmpMeaning meaning = meaning_of(error, quoted);
  if (error.v6 != rewrite.error.v6) {
    const auto mapped = rewrite.error.v6 ? icmp_v6_from_v4(meaning) : icmp_v4_from_v6(meaning);
    if (!mapped) return Outcome::kIcmp;
    meaning = *mapped;
  }
  if (meaning.is_too_big(rewrite.error.v6) && meaning.word > rewrite.mtu_reserve)
    meaning.word -= rewrite.mtu_reserve;

  // A quoted datagram without a checksum gets none across the families: nobody verifies a quoted one.
  static_cast<void>(exchange_ports(quoted, rewrite.quoted_before, rewrite.quoted_after));
  write_ip_header(quoted, rewrite.quoted_after, Ageing::kKeep, rewrite.identification);

  error.transport = quoted.ip - sizeof(IcmpHeader);
  error.length = static_cast<std::uint32_t>(sizeof(IcmpHeader)) + quoted.header_length + quoted.present;
  if (rewrite.error.v6) {
    error.length = std::min(error.length, kMinMtuV6 - static_cast<std::uint32_t>(sizeof(Ipv6Header)));
  }
  error.present = error.length;
  put_header(error.transport, meaning);
  write_ip_header(error, rewrite.error, Ageing::kAge, rewrite.identification);

  const std::uint64_t pseudo =
      error.v6 ? pseudo_sum_v6(error.ip + offsetof(Ipv6Header, source), error.length) : std::uint64_t{0};
  const be16 sum = checksum_finish(checksum_add(pseudo, error.transport, error.length));
  std::memcpy(error.transport + offsetof(IcmpHeader, checksum), &sum, sizeof sum);
  return kPending;
}

}  // namespace penstock
