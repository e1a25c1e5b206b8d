// How one VIP is announced, and what all of them together are. The kernel's route carries it in its metric,
// which the routing daemon turns into the MED (RFC 4271, 5.1.4) or the graceful-shutdown community (RFC
// 8326).
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>

#include "penstock/config/vip_prefix.h"

namespace penstock {

struct Announcement {
  std::uint16_t med = 0;  // the lower the better; equal ones share the traffic
  bool drained = false;   // routers prefer anybody else

  bool operator==(const Announcement&) const = default;
};

using Announcements = std::map<VipPrefix, Announcement>;

/// Beyond every 1 + MED. The templates of the routing daemons look for exactly this number.
inline constexpr std::uint32_t kDrainedMetric = 70'000;

/// Never 0, which the kernel would turn into 1024 for IPv6.
[[nodiscard]] constexpr std::uint32_t route_metric(const Announcement& announcement) {
  return announcement.drained ? kDrainedMetric : 1u + announcement.med;
}

/// Nothing for a metric that no announcement has. The MED of a drained VIP is not in its route.
[[nodiscard]] constexpr std::optional<Announcement> announcement_of(std::uint32_t metric) {
  if (metric == kDrainedMetric) return Announcement{0, true};
  if (metric < 1 || metric > 65'536) return std::nullopt;
  return Announcement{static_cast<std::uint16_t>(metric - 1), false};
}

/// Whether both mean the same routes: the MED of a drained VIP is in none.
[[nodiscard]] inline bool same_routes(const Announcements& a, const Announcements& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.first == y.first && route_metric(x.second) == route_metric(y.second);
  });
}

}  // namespace penstock
