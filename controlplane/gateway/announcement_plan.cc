#include "controlplane/gateway/announcement_plan.h"

#include <algorithm>

namespace penstock {
namespace {

std::uint16_t med_of(std::uint32_t med) {
  return static_cast<std::uint16_t>(std::min<std::uint32_t>(med, 65'535));
}

}  // namespace

Announcements plan_announcements(const std::set<VipPrefix>& vips, const proto::AnnouncePolicy& policy,
                                 AnnounceMode mode) {
  Announcements out;
  if (mode == AnnounceMode::kWithdrawn) return out;
  const bool drained = mode == AnnounceMode::kDrained;
  for (const VipPrefix& vip : vips) out[vip] = {.med = med_of(policy.med()), .drained = drained};
  for (const proto::VipPolicy& rule : policy.vips()) {
    const auto vip = parse_vip(rule.vip());
    const auto at = vip ? out.find(*vip) : out.end();
    if (at == out.end()) continue;
    if (rule.withhold()) {
      out.erase(at);
      continue;
    }
    if (rule.has_med()) at->second.med = med_of(rule.med());
    at->second.drained |= rule.drain();
  }
  return out;
}

LinkPolicy link_policy(const proto::AnnouncePolicy& policy) {
  return {.bandwidth_mbps = std::min<std::uint32_t>(policy.bandwidth_mbps(), 25'600),
          .bfd_profile = policy.bfd_profile() == "normal" ? "normal" : "fast"};
}

}  // namespace penstock
