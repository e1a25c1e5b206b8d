// What names a service on the wire: (VIP or VIP prefix, protocol, port or ports). Exactly one service may own
// a key.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>

#include "penstock/net/addr.h"
#include "penstock/net/headers.h"

namespace penstock {

/// Stands for every protocol that no other service of the VIP takes. IANA reserves the number.
inline constexpr std::uint8_t kAnyProtocol = 255;

/// Of the keys that match a packet the one with the longest prefix counts; among those, one port goes before
/// a range, a range before every port, and a protocol before kAnyProtocol.
struct VipKey {
  IpAddr vip;                      // of a prefix: its first address
  std::uint8_t protocol = 0;       // kProtoTcp, kProtoUdp, kProtoSctp or kAnyProtocol
  std::uint16_t port = 0;          // host order; 0 = every port
  std::uint16_t last_port = 0;     // of the range that begins with `port`; 0 = `port` alone
  std::uint8_t prefix_length = 0;  // bits; 0 = the one address `vip`

  constexpr auto operator<=>(const VipKey&) const = default;

  [[nodiscard]] constexpr bool is_prefix() const { return prefix_length != 0; }
  [[nodiscard]] constexpr bool is_one_port() const { return port != 0 && last_port == 0; }
  /// Bits of the address that count: 32 or 128 for one address.
  [[nodiscard]] constexpr unsigned bits() const {
    if (is_prefix()) return prefix_length;
    return vip.is_v6() ? 128 : 32;
  }

  /// "203.0.113.10", "203.0.113.0/24"
  [[nodiscard]] std::string vip_text() const {
    return is_prefix() ? vip.text() + "/" + std::to_string(prefix_length) : vip.text();
  }
  /// "80", "8000-8999", "*"
  [[nodiscard]] std::string port_text() const {
    if (port == 0) return "*";
    return last_port == 0 ? std::to_string(port) : std::to_string(port) + "-" + std::to_string(last_port);
  }
  /// "tcp", "udp", "sctp", "any", or the number
  [[nodiscard]] std::string protocol_text() const {
    switch (protocol) {
      case kProtoTcp:
        return "tcp";
      case kProtoUdp:
        return "udp";
      case kProtoSctp:
        return "sctp";
      case kAnyProtocol:
        return "any";
    }
    return std::to_string(protocol);
  }
  /// "tcp 203.0.113.10:80", "udp [2001:db8::1]:7", "any 203.0.113.0/24:*"
  [[nodiscard]] std::string text() const {
    const std::string host = vip.is_v6() ? "[" + vip_text() + "]" : vip_text();
    return protocol_text() + " " + host + ":" + port_text();
  }
};

}  // namespace penstock

template <>
struct std::hash<penstock::VipKey> {
  std::size_t operator()(const penstock::VipKey& k) const noexcept {
    const std::size_t rest = std::size_t{k.protocol} << 16 | k.port | std::size_t{k.last_port} << 24 |
                             std::size_t{k.prefix_length} << 40;
    return std::hash<penstock::IpAddr>{}(k.vip) * 31 + rest;
  }
};
