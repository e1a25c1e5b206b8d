// The TCP sockets that listen in this network namespace: how full their accept queues are, and how many
// connections they have dropped. Asked of the kernel by NETLINK_SOCK_DIAG, all in two messages. One thread.
#pragma once

#include <cstdint>
#include <vector>

#include "bpf/agent/file_descriptor.h"
#include "penstock/base/result.h"
#include "penstock/config/vip_key.h"

namespace penstock {

struct Listener {
  std::uint64_t cookie = 0;  // names the socket
  IpAddr address;            // all zero: every address
  bool is_v6 = false;        // which listens for IPv4 as well, where its address is every one
  std::uint16_t port = 0;
  std::uint32_t queue = 0;  // connections that wait for accept()
  std::uint32_t limit = 0;
  std::uint32_t drops = 0;  // wraps

  /// Does it take connections for a TCP service of one address and one port?
  [[nodiscard]] bool serves(const VipKey& service) const;
};

class ListenerQuery {
 public:
  /// Unavailable where the kernel has no inet_diag.
  static Result<ListenerQuery> open();
  Result<std::vector<Listener>> all();

 private:
  explicit ListenerQuery(FileDescriptor socket) : socket_(std::move(socket)) {}
  Status ask(int family, std::vector<Listener>& listeners);

  FileDescriptor socket_;
};

}  // namespace penstock
