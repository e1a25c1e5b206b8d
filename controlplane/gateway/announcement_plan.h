// Which VIPs are to be announced and how: what the configuration allows, what the control plane's policy says
// of them, and what the gateway as a whole is doing.
#pragma once

#include <set>

#include "controlplane/announce/announcement.h"
#include "controlplane/announce/routing_daemon.h"
#include "penstock/proto/gateway.pb.h"

namespace penstock {

enum class AnnounceMode {
  kNormal,     // as the policy says
  kDrained,    // everything with the graceful-shutdown community: traffic leaves, none is lost
  kWithdrawn,  // nothing
};

/// A VIP that the policy does not name has the gateway's MED. A MED above 65535 counts as 65535, and a policy
/// for a VIP that is not among `vips` as none.
Announcements plan_announcements(const std::set<VipPrefix>& vips, const proto::AnnouncePolicy& policy,
                                 AnnounceMode mode);

/// What the policy says of the link as a whole. A bandwidth above 25600 counts as 25600, an unknown BFD
/// profile as "fast".
LinkPolicy link_policy(const proto::AnnouncePolicy& policy);

}  // namespace penstock
