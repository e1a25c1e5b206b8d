// SyncAddress to and from the kernel's form.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>

#include "dataplane/sync/sync_address.h"

namespace penstock {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);

  SocketAddress() = default;
  explicit SocketAddress(const SyncAddress& address) {
    if (address.address.is_v4()) {
      auto& in = reinterpret_cast<sockaddr_in&>(storage);
      in.sin_family = AF_INET;
      in.sin_port = htons(address.port);
      std::memcpy(&in.sin_addr, address.address.data(), 4);
      size = sizeof in;
    } else {
      auto& in = reinterpret_cast<sockaddr_in6&>(storage);
      in.sin6_family = AF_INET6;
      in.sin6_port = htons(address.port);
      std::memcpy(&in.sin6_addr, address.address.data(), 16);
      size = sizeof in;
    }
  }

  [[nodiscard]] int family() const noexcept { return storage.ss_family; }
  [[nodiscard]] sockaddr* get() noexcept { return reinterpret_cast<sockaddr*>(&storage); }
  [[nodiscard]] SyncAddress address() const noexcept {
    if (family() == AF_INET6) {
      const auto& in = reinterpret_cast<const sockaddr_in6&>(storage);
      Ipv6Addr v6;
      std::memcpy(v6.bytes.data(), &in.sin6_addr, 16);
      return {IpAddr(v6), ntohs(in.sin6_port)};
    }
    const auto& in = reinterpret_cast<const sockaddr_in&>(storage);
    Ipv4Addr v4;
    std::memcpy(v4.bytes.data(), &in.sin_addr, 4);
    return {IpAddr(v4), ntohs(in.sin_port)};
  }
};

}  // namespace penstock
