// Where traffic goes: an address and a port, and the socket that leads there.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "penstock/net/addr.h"

namespace penstock::traffic {

struct Endpoint {
  IpAddr address;
  std::uint16_t port = 0;

  /// "203.0.113.10:80" or "[2001:db8::10]:80".
  static Result<Endpoint> parse(std::string_view text);
  [[nodiscard]] std::string text() const;
};

/// A socket address ready for connect(2), bind(2) and sendto(2).
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
  explicit SocketAddress(const Endpoint& endpoint);
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

/// Non-blocking socket of the endpoint's family whose connect(2) has been started; -1 with errno set when
/// even that failed. type: SOCK_STREAM or SOCK_DGRAM. source_port 0: the kernel chooses.
int connected_socket(const Endpoint& endpoint, int type, std::uint16_t source_port = 0);

}  // namespace penstock::traffic
