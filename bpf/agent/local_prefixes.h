// VIP prefixes on this host: one route of type local to `lo` for each, so that the local stack takes the
// decapsulated packets for every address in it. Ours carry the route protocol 99; no other route is touched.
// One thread.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "bpf/agent/loopback_netlink.h"
#include "penstock/base/result.h"
#include "penstock/config/vip_prefix.h"

namespace penstock {

class LocalPrefixes {
 public:
  static Result<LocalPrefixes> open();

  /// Makes our local routes exactly `prefixes`. Returns one sentence per prefix that could not be added or
  /// removed; a prefix that is local already, by whomever, is left as it is.
  [[nodiscard]] std::vector<std::string> set(const std::set<VipPrefix>& prefixes);

 private:
  Result<std::set<VipPrefix>> list(int family);
  int change(int message_type, const VipPrefix& prefix);

  LoopbackNetlink netlink_;
};

}  // namespace penstock
