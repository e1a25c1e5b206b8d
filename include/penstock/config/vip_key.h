// What names a service on the wire: (VIP, protocol, port). Exactly one service may own a key.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>

#include "penstock/net/addr.h"
#include "penstock/net/headers.h"

namespace penstock {

struct VipKey {
  IpAddr vip;
  std::uint8_t protocol = 0;  // kProtoTcp or kProtoUdp
  std::uint16_t port = 0;     // host order

  constexpr auto operator<=>(const VipKey&) const = default;

  /// "tcp 203.0.113.10:80", "udp [2001:db8::1]:7"
  [[nodiscard]] std::string text() const {
    const std::string name = protocol == kProtoTcp   ? "tcp"
                             : protocol == kProtoUdp ? "udp"
                                                     : std::to_string(protocol);
    const std::string host = vip.is_v6() ? "[" + vip.text() + "]" : vip.text();
    return name + " " + host + ":" + std::to_string(port);
  }
};

}  // namespace penstock

template <>
struct std::hash<penstock::VipKey> {
  std::size_t operator()(const penstock::VipKey& k) const noexcept {
    return std::hash<penstock::IpAddr>{}(k.vip) * 31 + (std::size_t{k.protocol} << 16 | k.port);
  }
};
