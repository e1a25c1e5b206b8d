// The announcements of this host: one blackhole route per VIP (/32, /128 or the VIP prefix) in a kernel table
// from which the routing daemon (FRR, BIRD) takes them to the routers. A route of our protocol number in our
// table is ours, whoever put it there and whatever it looks like; every other route is never touched.
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
#include <set>

#include "penstock/base/result.h"
#include "penstock/config/vip_prefix.h"

namespace penstock {

struct VipRouteOptions {
  std::uint32_t table_v4 = 201;
  std::uint32_t table_v6 = 254;  // main: FRR 8.4 imports other tables for IPv4 only
  std::uint8_t protocol = 99;    // rtm_protocol; 0-4 belong to the kernel and to the administrator
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

  /// Makes our routes be exactly `desired`. Deletes before it adds, and goes on past a route that fails: the
  /// error names the first failure and how many there were, everything else has been done.
  Result<Change> set(const std::set<VipPrefix>& desired);

  /// Deletes all of our routes.
  Result<Change> withdraw_all() { return set({}); }

  /// The VIPs that the kernel has routes for now.
  Result<std::set<VipPrefix>> announced();

 private:
  struct Netlink;
  explicit VipRoutes(std::unique_ptr<Netlink> netlink);

  std::unique_ptr<Netlink> netlink_;
};

}  // namespace penstock
