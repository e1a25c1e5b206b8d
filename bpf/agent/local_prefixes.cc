#include "bpf/agent/local_prefixes.h"

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <sys/socket.h>

#include <cstring>
#include <utility>

namespace penstock {
namespace {

struct FreeMessage {
  void operator()(nl_msg* message) const { nlmsg_free(message); }
};
using Message = std::unique_ptr<nl_msg, FreeMessage>;

/// The prefix of a route of ours in the local table; nothing for any other route.
bool read_ours(nlmsghdr* header, std::set<VipPrefix>& out) {
  nlattr* attributes[RTA_MAX + 1];
  if (header->nlmsg_type != RTM_NEWROUTE ||
      nlmsg_parse(header, sizeof(rtmsg), attributes, RTA_MAX, nullptr) < 0) {
    return false;
  }
  const auto* route = static_cast<const rtmsg*>(nlmsg_data(header));
  const bool v6 = route->rtm_family == AF_INET6;
  if (route->rtm_protocol != kOurNetlinkProtocol || route->rtm_type != RTN_LOCAL ||
      route->rtm_table != RT_TABLE_LOCAL || attributes[RTA_DST] == nullptr) {
    return false;
  }
  const IpAddr first = address_of(route->rtm_family, attributes[RTA_DST]);
  const bool whole = route->rtm_dst_len == (v6 ? 128 : 32);
  out.insert(VipPrefix(first, whole ? std::uint8_t{0} : route->rtm_dst_len));
  return true;
}

}  // namespace

Result<LocalPrefixes> LocalPrefixes::open() {
  auto netlink = LoopbackNetlink::open();
  if (!netlink) return netlink.error();
  LocalPrefixes self;
  self.netlink_ = std::move(*netlink);
  return self;
}

Result<std::set<VipPrefix>> LocalPrefixes::list(int family) {
  std::set<VipPrefix> out;
  rtmsg request{};
  request.rtm_family = static_cast<unsigned char>(family);
  int rc = nl_send_simple(netlink_.socket.get(), RTM_GETROUTE, NLM_F_DUMP, &request, sizeof request);
  const auto on_message = [](nl_msg* message, void* argument) -> int {
    read_ours(nlmsg_hdr(message), *static_cast<std::set<VipPrefix>*>(argument));
    return NL_OK;
  };
  nl_socket_modify_cb(netlink_.socket.get(), NL_CB_VALID, NL_CB_CUSTOM, on_message, &out);
  if (rc >= 0) rc = nl_recvmsgs_default(netlink_.socket.get());
  if (rc < 0) return unavailable(std::string("cannot read local routes: ") + nl_geterror(rc));
  return out;
}

/// 0 or a negative libnl error.
int LocalPrefixes::change(int message_type, const VipPrefix& prefix) {
  const bool add = message_type == RTM_NEWROUTE;
  const Message message(nlmsg_alloc_simple(message_type, add ? NLM_F_CREATE | NLM_F_EXCL : 0));
  if (message == nullptr) return -NLE_NOMEM;
  rtmsg route{};
  route.rtm_family = prefix.is_v6() ? AF_INET6 : AF_INET;
  route.rtm_dst_len = static_cast<unsigned char>(prefix.bits());
  route.rtm_table = RT_TABLE_LOCAL;
  route.rtm_protocol = kOurNetlinkProtocol;
  route.rtm_type = RTN_LOCAL;
  route.rtm_scope = prefix.is_v6() ? RT_SCOPE_UNIVERSE : RT_SCOPE_HOST;
  const auto size = static_cast<int>(prefix.first.size());
  if (nlmsg_append(message.get(), &route, sizeof route, NLMSG_ALIGNTO) != 0 ||
      nla_put(message.get(), RTA_DST, size, prefix.first.data()) != 0 ||
      nla_put_u32(message.get(), RTA_OIF, netlink_.index) != 0) {
    return -NLE_MSGSIZE;
  }
  const int rc = nl_send_auto(netlink_.socket.get(), message.get());
  return rc < 0 ? rc : nl_wait_for_ack(netlink_.socket.get());
}

std::vector<std::string> LocalPrefixes::set(const std::set<VipPrefix>& prefixes) {
  std::vector<std::string> problems;
  std::set<VipPrefix> present;
  for (const int family : {AF_INET, AF_INET6}) {
    auto found = list(family);
    if (!found) return {found.error().text()};
    present.merge(*found);
  }
  const auto attempt = [&](int message_type, const VipPrefix& prefix, int harmless) {
    const int rc = change(message_type, prefix);
    if (rc >= 0 || rc == harmless) return;
    problems.push_back("the local route of " + prefix.text() + " cannot be " +
                       (message_type == RTM_NEWROUTE ? "added: " : "removed: ") + nl_geterror(rc));
  };
  for (const VipPrefix& prefix : present) {
    if (!prefixes.contains(prefix)) attempt(RTM_DELROUTE, prefix, -NLE_OBJ_NOTFOUND);
  }
  for (const VipPrefix& prefix : prefixes) {
    if (!present.contains(prefix)) attempt(RTM_NEWROUTE, prefix, -NLE_EXIST);
  }
  return problems;
}

}  // namespace penstock
