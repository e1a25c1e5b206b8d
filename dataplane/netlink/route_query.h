// Asks the kernel which way it would send a packet: one RTM_GETROUTE per destination. The kernel thereby
// applies its own rules, tables, metrics, next-hop groups and source selection, and nothing of that has to be
// repeated (and kept right) here. About 5 µs a destination, batched.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "dataplane/netlink/netlink_socket.h"
#include "penstock/net/addr.h"

namespace penstock {

struct RouteAnswer {
  bool reachable = false;        // by a unicast route
  int link = 0;                  // interface index of the way out
  IpAddr neighbour;              // the gateway, or the destination itself when it is on the link
  std::optional<IpAddr> source;  // what the kernel would write as the source address
  std::uint32_t mtu = 0;         // of the route; 0 = the link's
};

/// One answer per destination, in the same order.
Result<std::vector<RouteAnswer>> query_routes(NetlinkSocket& socket, std::span<const IpAddr> destinations);

}  // namespace penstock
