// Addresses as values: IPv4, IPv6, either, and MAC. Bytes are always in network order. Parsing accepts
// exactly what inet_pton(3) accepts (no names, no zone, no prefix length) and formatting is RFC 5952.
#pragma once

#include <arpa/inet.h>

#include <array>
#include <compare>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>

#include "penstock/base/result.h"

namespace penstock {

struct Ipv4Addr {
  std::array<std::uint8_t, 4> bytes{};
  constexpr auto operator<=>(const Ipv4Addr&) const = default;
};

struct Ipv6Addr {
  std::array<std::uint8_t, 16> bytes{};
  constexpr auto operator<=>(const Ipv6Addr&) const = default;
};

struct MacAddr {
  std::array<std::uint8_t, 6> bytes{};
  constexpr auto operator<=>(const MacAddr&) const = default;

  [[nodiscard]] std::string text() const {
    char out[18];
    std::snprintf(out, sizeof out, "%02x:%02x:%02x:%02x:%02x:%02x", bytes[0], bytes[1], bytes[2], bytes[3],
                  bytes[4], bytes[5]);
    return out;
  }

  /// Six colon-separated hexadecimal octets.
  static Result<MacAddr> parse(std::string_view text) {
    MacAddr mac;
    unsigned octet[6];
    char rest = 0;
    const std::string copy(text);
    if (std::sscanf(copy.c_str(), "%2x:%2x:%2x:%2x:%2x:%2x%c", &octet[0], &octet[1], &octet[2], &octet[3],
                    &octet[4], &octet[5], &rest) != 6) {
      return invalid("", "'" + copy + "' is not a MAC address (write 02:00:00:00:00:01)");
    }
    for (std::size_t i = 0; i < 6; ++i) mac.bytes[i] = static_cast<std::uint8_t>(octet[i]);
    return mac;
  }
};

/// An IPv4 or IPv6 address. IPv4 addresses use the first four bytes; the others stay zero, so that equality
/// and ordering are those of the members.
class IpAddr {
 public:
  constexpr IpAddr() = default;
  constexpr IpAddr(Ipv4Addr a) : v6_(false) {  // NOLINT: widening is safe
    for (std::size_t i = 0; i < 4; ++i) bytes_[i] = a.bytes[i];
  }
  constexpr IpAddr(Ipv6Addr a) : v6_(true), bytes_(a.bytes) {}  // NOLINT

  static Result<IpAddr> parse(std::string_view text) {
    const std::string copy(text);
    Ipv4Addr a4;
    if (inet_pton(AF_INET, copy.c_str(), a4.bytes.data()) == 1) return IpAddr(a4);
    Ipv6Addr a6;
    if (inet_pton(AF_INET6, copy.c_str(), a6.bytes.data()) == 1) return IpAddr(a6);
    return invalid("", "'" + copy + "' is not an IPv4 or IPv6 address");
  }

  [[nodiscard]] constexpr bool is_v4() const { return !v6_; }
  [[nodiscard]] constexpr bool is_v6() const { return v6_; }
  [[nodiscard]] Ipv4Addr v4() const {
    Ipv4Addr a;
    std::memcpy(a.bytes.data(), bytes_.data(), 4);
    return a;
  }
  [[nodiscard]] Ipv6Addr v6() const { return Ipv6Addr{bytes_}; }
  /// 4 or 16 bytes in network order.
  [[nodiscard]] const std::uint8_t* data() const { return bytes_.data(); }
  [[nodiscard]] std::size_t size() const { return v6_ ? 16 : 4; }

  [[nodiscard]] std::string text() const {
    char out[INET6_ADDRSTRLEN];
    inet_ntop(v6_ ? AF_INET6 : AF_INET, bytes_.data(), out, sizeof out);
    return out;
  }

  /// Multicast, unspecified, loopback and limited broadcast can be neither a VIP nor a backend.
  [[nodiscard]] bool is_unicast() const {
    if (is_v4()) return bytes_[0] != 0 && bytes_[0] != 127 && bytes_[0] < 224;
    static constexpr std::array<std::uint8_t, 16> kUnspecified{};
    static constexpr std::array<std::uint8_t, 16> kLoopback{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    return bytes_[0] != 0xff && bytes_ != kUnspecified && bytes_ != kLoopback;
  }

  constexpr auto operator<=>(const IpAddr&) const = default;

 private:
  bool v6_ = false;
  std::array<std::uint8_t, 16> bytes_{};
};

}  // namespace penstock

template <>
struct std::hash<penstock::IpAddr> {
  std::size_t operator()(const penstock::IpAddr& a) const noexcept {
    return std::hash<std::string_view>{}({reinterpret_cast<const char*>(a.data()), a.size()}) ^
           (a.is_v6() ? 1u : 0u);
  }
};
