// How BPF maps name addresses, services and VIPs (include/penstock/abi/service_key.h), and back. Any thread.
#pragma once

#include <cstring>

#include "penstock/abi/service_key.h"
#include "penstock/config/vip_key.h"
#include "penstock/config/vip_prefix.h"

namespace penstock {

inline abi_address to_abi(const IpAddr& address) {
  abi_address key{};
  if (address.is_v6()) {
    std::memcpy(key.bytes, address.data(), 16);
  } else {
    key.bytes[10] = key.bytes[11] = 0xff;
    std::memcpy(key.bytes + 12, address.data(), 4);
  }
  return key;
}

inline IpAddr from_abi(const abi_address& key) {
  static constexpr abi_u8 kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::memcmp(key.bytes, kMapped, sizeof kMapped) == 0) {
    Ipv4Addr v4;
    std::memcpy(v4.bytes.data(), key.bytes + 12, 4);
    return v4;
  }
  Ipv6Addr v6;
  std::memcpy(v6.bytes.data(), key.bytes, 16);
  return v6;
}

inline abi_service_key to_abi(const VipKey& service) {
  abi_service_key key{};
  key.vip = to_abi(service.vip);
  key.port = be16(service.port).raw();
  key.last_port = be16(service.last_port).raw();
  key.protocol = service.protocol;
  key.prefix_length = service.prefix_length;
  return key;
}

/// The entry that stands for the VIP itself: the key of a service without protocol and port.
inline abi_service_key to_abi(const VipPrefix& vip) {
  VipKey key;
  key.vip = vip.first;
  key.prefix_length = vip.length;
  return to_abi(key);
}

inline VipKey from_abi(const abi_service_key& key) {
  return VipKey{from_abi(key.vip), key.protocol, be16::from_raw(key.port).host(),
                be16::from_raw(key.last_port).host(), key.prefix_length};
}

}  // namespace penstock
