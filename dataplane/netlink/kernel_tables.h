// Links and neighbours of this network namespace, kept from rtnetlink messages. A pure value: it is fed
// messages and asked questions, so tests need no kernel. Not thread-safe.
#pragma once

#include <linux/netlink.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "dataplane/netlink/netlink_socket.h"
#include "penstock/net/addr.h"

namespace penstock {

struct Link {
  std::string name;
  MacAddr mac;
  std::uint32_t mtu = 0;  // bytes of an IP packet
  bool up = false;        // administratively

  bool operator==(const Link&) const = default;
};

struct Neighbour {
  MacAddr mac;
  bool usable = false;     // the kernel would send to `mac` now
  bool confirmed = false;  // and need not ask again: reachable, permanent or without ARP

  bool operator==(const Neighbour&) const = default;
};

class KernelTables {
 public:
  /// Takes in a link, neighbour, address, route or rule message. True when the answer to "how is a backend
  /// reached?" may have changed; false for news that cannot matter, such as another timestamp.
  bool apply(const nlmsghdr& message);
  void clear();

  [[nodiscard]] const Link* link(int index) const;
  [[nodiscard]] std::optional<int> index_of(std::string_view name) const;
  [[nodiscard]] const Neighbour* neighbour(int link, const IpAddr& address) const;

 private:
  bool apply_link(const nlmsghdr& message);
  bool apply_neighbour(const nlmsghdr& message);

  std::map<int, Link> links_;
  std::map<std::pair<int, IpAddr>, Neighbour> neighbours_;
};

/// 4 or 16 bytes as an address; nothing for any other size.
std::optional<IpAddr> address_of(std::span<const std::uint8_t> bytes);

}  // namespace penstock
