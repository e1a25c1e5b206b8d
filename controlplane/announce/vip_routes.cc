#include "controlplane/announce/vip_routes.h"

#include <linux/capability.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/route.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace penstock {
namespace {

struct FreeRoute {
  void operator()(rtnl_route* route) const { rtnl_route_put(route); }
};
using Route = std::unique_ptr<rtnl_route, FreeRoute>;
struct FreeMessage {
  void operator()(nl_msg* message) const { nlmsg_free(message); }
};
using Message = std::unique_ptr<nl_msg, FreeMessage>;
struct FreeSocket {
  void operator()(nl_sock* socket) const { nl_socket_free(socket); }
};

constexpr int kDumpAttempts = 5;

bool may_change_routes() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (syscall(SYS_capget, &header, data) != 0) return false;
  return (data[0].effective & (1u << CAP_NET_ADMIN)) != 0;
}

std::string prefix(const VipPrefix& vip) { return vip.first.text() + "/" + std::to_string(vip.bits()); }

/// The VIP that `route` announces, or false in `.second` when it has another shape.
std::pair<VipPrefix, bool> vip_of(rtnl_route* route) {
  nl_addr* dst = rtnl_route_get_dst(route);
  if (dst == nullptr || rtnl_route_get_type(route) != RTN_BLACKHOLE) return {{}, false};
  const auto* bytes = static_cast<const std::uint8_t*>(nl_addr_get_binary_addr(dst));
  IpAddr first;
  if (rtnl_route_get_family(route) == AF_INET) {
    Ipv4Addr a;
    std::copy_n(bytes, a.bytes.size(), a.bytes.begin());
    first = a;
  } else {
    Ipv6Addr a;
    std::copy_n(bytes, a.bytes.size(), a.bytes.begin());
    first = a;
  }
  const unsigned bits = nl_addr_get_prefixlen(dst);
  const unsigned full = first.is_v6() ? 128 : 32;
  if (bits == 0) return {{}, false};
  return {VipPrefix(first, static_cast<std::uint8_t>(bits == full ? 0 : bits)), true};
}

std::string route_text(rtnl_route* route) {
  char text[128] = "default";
  if (nl_addr* dst = rtnl_route_get_dst(route)) nl_addr2str(dst, text, sizeof text);
  return text;
}

}  // namespace

/// What one set() did, and the first sentence about what it could not do.
struct VipRoutes::Work {
  Change change;
  std::string first_failure;
  std::size_t failures = 0;

  void failed(std::string sentence) {
    if (failures++ == 0) first_failure = std::move(sentence);
  }
};

struct VipRoutes::Netlink {
  VipRouteOptions options;
  std::unique_ptr<nl_sock, FreeSocket> socket;

  [[nodiscard]] std::uint32_t table(bool v6) const { return v6 ? options.table_v6 : options.table_v4; }

  Result<std::vector<Route>> ours();
  Status dump(int family, std::vector<Route>& out);
  int add(const VipPrefix& vip, std::uint32_t metric);
  bool announce(const VipPrefix& vip, std::uint32_t metric, Work& work);
  void remove(rtnl_route* route, Work& work);
};

/// Asks the kernel for one table only: a gateway may carry a full Internet table beside ours.
Status VipRoutes::Netlink::dump(int family, std::vector<Route>& out) {
  struct Collector {
    const VipRouteOptions& options;
    std::uint32_t table;
    std::vector<Route>& routes;
  } collector{options, table(family == AF_INET6), out};

  for (int attempt = 0; attempt < kDumpAttempts; ++attempt) {
    out.clear();
    Message request(nlmsg_alloc_simple(RTM_GETROUTE, NLM_F_REQUEST | NLM_F_DUMP));
    rtmsg header{};
    header.rtm_family = static_cast<unsigned char>(family);
    nlmsg_append(request.get(), &header, sizeof header, NLMSG_ALIGNTO);
    nla_put_u32(request.get(), RTA_TABLE, collector.table);
    const auto collect = [](nl_msg* message, void* argument) -> int {
      auto& to = *static_cast<Collector*>(argument);
      rtnl_route* parsed = nullptr;
      if (rtnl_route_parse(nlmsg_hdr(message), &parsed) < 0) return NL_OK;
      Route route(parsed);
      const bool mine = rtnl_route_get_protocol(parsed) == to.options.protocol &&
                        rtnl_route_get_table(parsed) == to.table &&
                        (rtnl_route_get_flags(parsed) & RTM_F_CLONED) == 0;
      if (mine) to.routes.push_back(std::move(route));
      return NL_OK;
    };
    nl_socket_modify_cb(socket.get(), NL_CB_VALID, NL_CB_CUSTOM, collect, &collector);
    int rc = nl_send_auto(socket.get(), request.get());
    if (rc >= 0) rc = nl_recvmsgs_default(socket.get());
    nl_socket_modify_cb(socket.get(), NL_CB_VALID, NL_CB_DEFAULT, nullptr, nullptr);
    if (rc == -NLE_OBJ_NOTFOUND) return Ok{};  // the table does not exist before its first route
    if (rc >= 0) return Ok{};
    if (rc != -NLE_DUMP_INTR) {
      return unavailable("the kernel refused to list route table " + std::to_string(collector.table) + ": " +
                         nl_geterror(rc));
    }
  }
  return unavailable("route table " + std::to_string(collector.table) +
                     " changes faster than it can be read");
}

Result<std::vector<Route>> VipRoutes::Netlink::ours() {
  std::vector<Route> all;
  for (int family : {AF_INET, AF_INET6}) {
    std::vector<Route> routes;
    auto status = dump(family, routes);
    if (!status) return status.error();
    std::move(routes.begin(), routes.end(), std::back_inserter(all));
  }
  return all;
}

int VipRoutes::Netlink::add(const VipPrefix& vip, std::uint32_t metric) {
  Route route(rtnl_route_alloc());
  const int family = vip.is_v6() ? AF_INET6 : AF_INET;
  std::unique_ptr<nl_addr, decltype(&nl_addr_put)> dst(
      nl_addr_build(family, vip.first.data(), vip.first.size()), &nl_addr_put);
  nl_addr_set_prefixlen(dst.get(), static_cast<int>(vip.bits()));
  rtnl_route_set_family(route.get(), static_cast<std::uint8_t>(family));
  rtnl_route_set_dst(route.get(), dst.get());
  rtnl_route_set_table(route.get(), table(vip.is_v6()));
  rtnl_route_set_protocol(route.get(), options.protocol);
  rtnl_route_set_priority(route.get(), metric);
  rtnl_route_set_type(route.get(), RTN_BLACKHOLE);
  rtnl_route_set_scope(route.get(), RT_SCOPE_UNIVERSE);
  return rtnl_route_add(socket.get(), route.get(), NLM_F_CREATE | NLM_F_EXCL);
}

bool VipRoutes::Netlink::announce(const VipPrefix& vip, std::uint32_t metric, Work& work) {
  const int rc = add(vip, metric);
  if (rc == 0) {
    ++work.change.added;
    return true;
  }
  const std::string what =
      "cannot announce " + prefix(vip) + " in route table " + std::to_string(table(vip.is_v6())) + ": ";
  if (rc == -NLE_EXIST) {
    work.failed(what + "somebody else's route for it is there; delete that route");
  } else {
    work.failed(what + nl_geterror(rc));
  }
  return false;
}

void VipRoutes::Netlink::remove(rtnl_route* route, Work& work) {
  const int rc = rtnl_route_delete(socket.get(), route, 0);
  if (rc == 0) {
    ++work.change.deleted;
  } else if (rc != -NLE_OBJ_NOTFOUND) {
    work.failed("cannot delete route " + route_text(route) + ": " + nl_geterror(rc));
  }
}

VipRoutes::VipRoutes(std::unique_ptr<Netlink> netlink) : netlink_(std::move(netlink)) {}
VipRoutes::~VipRoutes() = default;

Result<std::unique_ptr<VipRoutes>> VipRoutes::open(const VipRouteOptions& options) {
  if (options.protocol <= RTPROT_STATIC)
    return invalid("route_protocol", "must be 5–255; 0–4 mean the kernel's own");
  if (options.table_v4 == 0) return invalid("route_table", "must not be 0");
  if (options.table_v6 == 0) return invalid("route_table_v6", "must not be 0");
  if (!may_change_routes()) {
    return Error{ErrorCode::kPermissionDenied, "changing routes needs root or the capability CAP_NET_ADMIN"};
  }
  auto netlink = std::make_unique<Netlink>();
  netlink->options = options;
  netlink->socket.reset(nl_socket_alloc());
  const int rc = nl_connect(netlink->socket.get(), NETLINK_ROUTE);
  if (rc < 0) return unavailable(std::string("no netlink socket: ") + nl_geterror(rc));
  const int fd = nl_socket_get_fd(netlink->socket.get());
  const int strict = 1;
  if (setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &strict, sizeof strict) != 0) {
    return unavailable("this kernel cannot list a single route table; Linux 4.20 or later is needed");
  }
  // The kernel answers at once; the limit only keeps a lost answer from hanging the caller.
  const timeval limit{1, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  return std::unique_ptr<VipRoutes>(new VipRoutes(std::move(netlink)));
}

Result<VipRoutes::Change> VipRoutes::set(const Announcements& desired) {
  auto present = netlink_->ours();
  if (!present) return present.error();
  Work work;
  std::set<VipPrefix> kept;
  std::vector<rtnl_route*> replaced;  // of VIPs that are announced with another metric from now on
  for (const Route& route : *present) {
    const auto [vip, shaped] = vip_of(route.get());
    const auto wanted = shaped ? desired.find(vip) : desired.end();
    if (wanted == desired.end()) {
      netlink_->remove(route.get(), work);
    } else if (rtnl_route_get_priority(route.get()) != route_metric(wanted->second) ||
               !kept.insert(vip).second) {
      replaced.push_back(route.get());
    }
  }
  std::set<VipPrefix> missing;
  for (const auto& [vip, announcement] : desired) {
    if (kept.count(vip) != 0) continue;
    if (!netlink_->announce(vip, route_metric(announcement), work)) missing.insert(vip);
  }
  for (rtnl_route* route : replaced) {
    if (missing.count(vip_of(route).first) == 0) netlink_->remove(route, work);
  }
  if (work.failures == 0) return work.change;
  const std::string more = work.failures > 1 ? " (and " + std::to_string(work.failures - 1) + " more)" : "";
  return unavailable(work.first_failure + more);
}

Result<Announcements> VipRoutes::announced() {
  auto present = netlink_->ours();
  if (!present) return present.error();
  Announcements out;
  for (const Route& route : *present) {
    const auto [vip, shaped] = vip_of(route.get());
    const auto announcement = announcement_of(rtnl_route_get_priority(route.get()));
    if (!shaped || !announcement) continue;
    const auto [at, first] = out.emplace(vip, *announcement);
    if (!first && route_metric(*announcement) < route_metric(at->second)) at->second = *announcement;
  }
  return out;
}

}  // namespace penstock
