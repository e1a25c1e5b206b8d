#include "bpf/agent/loopback_netlink.h"

#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <sys/socket.h>

#include <string>

namespace penstock {

void LoopbackNetlink::Close::operator()(nl_sock* socket) const { nl_socket_free(socket); }

Result<LoopbackNetlink> LoopbackNetlink::open() {
  LoopbackNetlink self;
  self.socket.reset(nl_socket_alloc());
  if (self.socket == nullptr) return internal_error("out of memory for a netlink socket");
  if (const int rc = nl_connect(self.socket.get(), NETLINK_ROUTE); rc < 0) {
    return unavailable(std::string("cannot open rtnetlink: ") + nl_geterror(rc));
  }
  self.index = if_nametoindex("lo");
  if (self.index == 0) return unavailable("there is no loopback interface 'lo' to carry the VIPs");
  return self;
}

IpAddr address_of(int family, const nlattr* attribute) {
  if (family == AF_INET) {
    Ipv4Addr v4;
    nla_memcpy(v4.bytes.data(), attribute, 4);
    return v4;
  }
  Ipv6Addr v6;
  nla_memcpy(v6.bytes.data(), attribute, 16);
  return v6;
}

}  // namespace penstock
