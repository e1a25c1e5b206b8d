// What the kernel's routes and neighbours say about reaching each backend, as a value: dataplane/netlink
// fills it, the compiler bakes it into the backends' outer headers.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "penstock/net/addr.h"

namespace penstock {

struct NextHop {
  MacAddr source;            // of the egress interface
  MacAddr destination;       // of the neighbour: the backend itself or the router towards it
  IpAddr outer_source;       // this gateway's address on that route, of the backend's family
  std::uint16_t port = 0;    // egress port, as the worker numbers them
  std::uint16_t mtu = 1500;  // of the egress route: the longest outer IP packet, in bytes
  bool via_router = false;   // `destination` is known not to be the backend's own

  bool operator==(const NextHop&) const = default;
};

/// Backend address -> next hop. A backend without an entry is unresolved: its packets end as kNoNextHop.
using NextHops = std::unordered_map<IpAddr, NextHop>;

}  // namespace penstock
