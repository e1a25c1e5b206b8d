// Next hops of the backends, as the kernel's routing would have them, and kept up to date.
//
// For each backend address the kernel is asked for its route (route_query.h), the route's neighbour is looked
// up among the neighbours heard of by rtnetlink, and the interface is matched with the port that sits on it.
// A neighbour that the kernel does not know, or has not confirmed of late, is asked for with NTF_USE: XDP
// traffic confirms nothing, so an entry left alone would turn stale and then stay wrong for ever.
//
// Ports without a kernel interface (net_null, net_pcap, memif) have a static next hop; the backends which no
// kernel interface reaches leave by the first static one that has a source address of their family.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dataplane/config/next_hops.h"
#include "penstock/base/result.h"
#include "penstock/net/addr.h"

namespace penstock {

struct PortInterface {
  std::uint16_t port = 0;
  std::string interface;  // kernel name
};

struct StaticNextHop {
  std::uint16_t port = 0;
  MacAddr source;
  MacAddr destination;
  std::optional<Ipv4Addr> source_v4;
  std::optional<Ipv6Addr> source_v6;
  std::uint16_t mtu = 1500;
};

struct NextHopSettings {
  std::vector<PortInterface> interfaces;
  std::vector<StaticNextHop> statics;
  std::optional<Ipv4Addr> source_v4;  // instead of the one that the kernel would choose
  std::optional<Ipv6Addr> source_v6;
};

class NextHopMonitor {
 public:
  /// Reads the kernel's tables, in the network namespace of the caller.
  /// Unavailable when an interface does not exist or netlink fails.
  static Result<std::unique_ptr<NextHopMonitor>> open(NextHopSettings settings);
  /// Starts the thread that follows the tables. on_change runs on it whenever resolve() would answer
  /// differently than the last time, and may call resolve(). Once.
  void follow(std::function<void()> on_change);
  /// Ends the thread; on_change is not called any more. resolve() goes on answering from what was known.
  void stop();
  ~NextHopMonitor();
  NextHopMonitor(const NextHopMonitor&) = delete;
  NextHopMonitor& operator=(const NextHopMonitor&) = delete;

  /// The next hops of these backends now; from here on these are the ones that are watched. A backend that
  /// cannot be reached is missing from the answer. Any thread.
  [[nodiscard]] NextHops resolve(std::span<const IpAddr> backends);

  /// The hardware address of the interface under a port; nothing for a static port. Any thread.
  [[nodiscard]] std::optional<MacAddr> interface_mac(std::uint16_t port) const;

 private:
  class Impl;
  explicit NextHopMonitor(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace penstock
