// The announcements of this host: one blackhole route per VIP (/32, /128 or the VIP prefix) in a kernel table
// from which the routing daemon (FRR, BIRD) takes them to the routers. Its metric is 1 + MED, or
// kDrainedMetric. A route of our protocol number in our table is ours, whoever put it there and whatever it
// looks like; every other route is never touched.
//
// Each metric is a route of its own to the kernel. A VIP whose metric changes has both routes for a moment:
// the new one is added before the old one is deleted, so that the VIP is never gone.
//
// The kernel is the only memory: each call reads what is really there and changes the difference, so a route
// deleted by hand comes back with the next call, and a restarted process adopts the routes of its predecessor
// without a flap.
//
// One thread per object. Calls talk to the kernel only (rtnetlink, RFC 3549) and wait for nothing else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "controlplane/announce/announcement.h"
#include "penstock/base/result.h"

namespace penstock {

struct VipRouteOptions {
  // 254, main: FRR 8.4 imports other tables for IPv4 only, and loses a VIP whose metric changes there.
  std::uint32_t table_v4 = 254;
  std::uint32_t table_v6 = 254;
  std::uint8_t protocol = 99;  // rtm_protocol; 0-4 belong to the kernel and to the administrator
};

class VipRoutes {
 public:
  struct Change {
    std::size_t added = 0;
    std::size_t deleted = 0;
  };

  /// Opens the netlink socket in the caller's network namespace. PermissionDenied without CAP_NET_ADMIN.
  static Result<std::unique_ptr<VipRoutes>> open(const VipRouteOptions& options);

  VipRoutes(const VipRoutes&) = delete;
  VipRoutes& operator=(const VipRoutes&) = delete;
  ~VipRoutes();

  /// Makes our routes be exactly `desired`. Withdraws, then adds, then deletes what was replaced, and goes on
  /// past a route that fails: the error names the first failure and how many there were, everything else has
  /// been done. A VIP whose new route cannot be added keeps its old one.
  Result<Change> set(const Announcements& desired);

  /// Deletes all of our routes.
  Result<Change> withdraw_all() { return set({}); }

  /// What the kernel has routes for now. Where a VIP has several, the one that the routing daemon takes.
  Result<Announcements> announced();

 private:
  struct Netlink;
  struct Work;
  explicit VipRoutes(std::unique_ptr<Netlink> netlink);

  std::unique_ptr<Netlink> netlink_;
};

}  // namespace penstock
