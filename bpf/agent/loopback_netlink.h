// A rtnetlink socket and the loopback interface: what the parts that put VIPs on `lo` begin with.
#pragma once

#include <memory>

#include "penstock/base/result.h"
#include "penstock/net/addr.h"

struct nl_sock;
struct nlattr;

namespace penstock {

/// Protocol number of the addresses and routes that are ours, as of penstock-gateway's routes.
inline constexpr std::uint8_t kOurNetlinkProtocol = 99;

struct LoopbackNetlink {
  struct Close {
    void operator()(nl_sock* socket) const;
  };

  /// Unavailable when the kernel gives no socket or there is no `lo`.
  static Result<LoopbackNetlink> open();

  std::unique_ptr<nl_sock, Close> socket;
  unsigned index = 0;  // of `lo`
};

/// The address in an attribute of an AF_INET or AF_INET6 message.
[[nodiscard]] IpAddr address_of(int family, const nlattr* attribute);

}  // namespace penstock
