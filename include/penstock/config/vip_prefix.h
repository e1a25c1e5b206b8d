// VIP prefixes: 203.0.113.0/24 or 2001:db8:1::/64 served as one VIP.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "penstock/base/result.h"
#include "penstock/config/limits.h"
#include "penstock/config/vip_key.h"

namespace penstock {

/// `address` with all bits after the first `bits` cleared.
[[nodiscard]] inline IpAddr first_address(const IpAddr& address, unsigned bits) {
  std::array<std::uint8_t, 16> bytes{};
  std::memcpy(bytes.data(), address.data(), address.size());
  for (unsigned i = 0; i < address.size(); ++i) {
    const unsigned kept = bits > i * 8 ? std::min(8u, bits - i * 8) : 0;
    bytes[i] = static_cast<std::uint8_t>(bytes[i] & (0xff00u >> kept));
  }
  if (address.is_v6()) return Ipv6Addr{bytes};
  return Ipv4Addr{{bytes[0], bytes[1], bytes[2], bytes[3]}};
}

/// Whether packets to `address` match the VIP or VIP prefix of `key`.
[[nodiscard]] inline bool covers(const VipKey& key, const IpAddr& address) {
  return key.vip.is_v6() == address.is_v6() && first_address(address, key.bits()) == key.vip;
}

/// What is announced and carried: the VIP or VIP prefix of one or more services. An address is a prefix too.
struct VipPrefix {
  IpAddr first;
  std::uint8_t length = 0;  // bits; 0 = the one address, which "/32" and "/128" are too

  constexpr VipPrefix() = default;
  constexpr VipPrefix(const IpAddr& vip, std::uint8_t bits = 0) : first(vip), length(bits) {}  // NOLINT
  constexpr explicit VipPrefix(const VipKey& key) : VipPrefix(key.vip, key.prefix_length) {}

  constexpr auto operator<=>(const VipPrefix&) const = default;

  [[nodiscard]] constexpr bool is_v6() const { return first.is_v6(); }
  [[nodiscard]] constexpr unsigned full_length() const { return is_v6() ? 128 : 32; }
  [[nodiscard]] constexpr unsigned bits() const { return length != 0 ? length : full_length(); }
  /// "203.0.113.10", "203.0.113.0/24": what parse_vip() reads.
  [[nodiscard]] std::string text() const {
    return length == 0 ? first.text() : first.text() + "/" + std::to_string(length);
  }
};

/// Refuses what is no address, bits behind the prefix, and prefixes shorter than kMinVipPrefixV4 and V6.
/// Whether the address is unicast is for the caller to check.
[[nodiscard]] inline Result<VipPrefix> parse_vip(std::string_view text) {
  const std::string written = "'" + std::string(text) + "'";
  // inet_pton reads a C string: what follows a NUL would be accepted unseen.
  if (text.find('\0') != std::string_view::npos) return invalid("", "is not an IPv4 or IPv6 address");
  const std::size_t slash = text.find('/');
  const auto address = IpAddr::parse(text.substr(0, slash));
  if (!address) return invalid("", written + " is not an IPv4 or IPv6 address or prefix");
  if (slash == std::string_view::npos) return VipPrefix{*address, 0};

  const std::string_view digits = text.substr(slash + 1);
  const unsigned least = address->is_v6() ? kMinVipPrefixV6 : kMinVipPrefixV4;
  const unsigned most = address->is_v6() ? 128 : 32;
  unsigned bits = 0;
  const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
  const bool whole = failed == std::errc() && end == digits.data() + digits.size() && digits.front() != '0';
  if (!whole || bits < least || bits > most) {
    return invalid(
        "", written + " must have a prefix length of " + std::to_string(least) + "–" + std::to_string(most));
  }
  const IpAddr first = first_address(*address, bits);
  if (first != *address) {
    return invalid(
        "", written + " has bits behind the prefix: write " + first.text() + "/" + std::to_string(bits));
  }
  return VipPrefix{first, static_cast<std::uint8_t>(bits == most ? 0 : bits)};
}

}  // namespace penstock
