// IP addresses of this host's interfaces, by rtnetlink: which ones receive encapsulated packets, and the VIPs
// on `lo`.
//
// A VIP is added to `lo` as /32 or /128 so that the local stack takes the decapsulated packets. Ours carry
// the address protocol 99 (IFA_PROTO, Linux 5.18), IPv4 ones also the label `lo:penstock`; only such
// addresses are ever removed, so that a VIP which an administrator configured stays. IPv4 VIPs have host
// scope and IPv6 VIPs no preferred lifetime: the host never picks a VIP as the source of its own connections.
// No duplicate address detection.
//
// One thread.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "bpf/agent/loopback_netlink.h"
#include "penstock/base/result.h"
#include "penstock/net/addr.h"

namespace penstock {

class Addresses {
 public:
  static Result<Addresses> open();

  /// Global unicast addresses of the interface, without VIPs of ours: where encapsulated packets may arrive.
  [[nodiscard]] Result<std::set<IpAddr>> of_interface(const std::string& name);

  /// Makes our VIPs on `lo` exactly `vips`. Addresses that `lo` has already from elsewhere are left as they
  /// are. Returns one sentence per VIP that could not be added or removed.
  [[nodiscard]] std::vector<std::string> set_vips(const std::set<IpAddr>& vips);

  /// Without it the kernel has no local route to a VIP.
  [[nodiscard]] bool loopback_is_up() const;

 private:
  struct Entry {
    IpAddr address;
    unsigned prefix = 0;
    bool ours = false;
    bool global = false;
  };

  Result<std::vector<Entry>> list(unsigned ifindex);
  Status change(int message_type, const IpAddr& vip);

  LoopbackNetlink netlink_;
};

}  // namespace penstock
