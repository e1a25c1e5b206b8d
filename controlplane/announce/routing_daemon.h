// The daemon that speaks BGP and BFD for this host, behind one interface: FRR, BIRD or GoBGP.
//
// FRR and BIRD take the VIPs from the kernel's routes (VipRoutes), so withdrawal needs nothing of this: what
// is set here is what a route cannot carry, the link bandwidth (draft-ietf-idr-link-bandwidth, share of the
// router's ECMP) and the timing of BFD. GoBGP reads no routes: its paths are added and deleted here.
//
// Bandwidths leave as a *transitive* extended community, since a router of another AS gets no other.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "controlplane/announce/announcement.h"
#include "penstock/base/result.h"

namespace penstock {

struct LinkPolicy {
  std::uint32_t bandwidth_mbps = 0;  // 1-25600; 0 = no community
  std::string bfd_profile = "fast";  // "fast": 50 ms x 3, "normal": 300 ms x 3

  bool operator==(const LinkPolicy&) const = default;
};

/// What is unknown yet is left as the daemon has it: a restarted agent must not take back what its
/// predecessor had asked for.
struct RoutingWish {
  std::optional<Announcements> announced;  // what the kernel's routes say
  std::optional<LinkPolicy> link;

  bool operator==(const RoutingWish&) const = default;
};

class RoutingDaemon {
 public:
  virtual ~RoutingDaemon() = default;

  /// Makes the daemon do what is wished, where it does not already. Compares with the daemon, not with a
  /// memory, as far as it can be asked: one that restarted is put right by the next call. May take seconds.
  virtual Status follow(const RoutingWish& wish) = 0;
};

struct RoutingOptions {
  std::string daemon = "frr";  // "frr", "bird", "gobgp"
  std::string vtysh = "vtysh";
  std::string vtysh_instance;  // -N of FRR; empty: the only one
  std::string birdc = "birdc";
  std::string bird_socket = "/run/bird/bird.ctl";
  std::string bird_include = "/etc/bird/penstock.conf";
  std::string gobgp = "127.0.0.1:50051";  // its gRPC API
};

/// InvalidArgument for a daemon that nobody knows.
Result<std::unique_ptr<RoutingDaemon>> make_routing_daemon(const RoutingOptions& options);

}  // namespace penstock
