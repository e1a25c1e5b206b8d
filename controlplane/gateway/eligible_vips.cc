#include "controlplane/gateway/eligible_vips.h"

#include <algorithm>

namespace penstock {

std::set<IpAddr> eligible_vips(const proto::DataplaneConfig& config) {
  std::set<IpAddr> vips;
  for (const proto::Service& service : config.services()) {
    const bool takes_flows =
        std::any_of(service.backends().begin(), service.backends().end(),
                    [](const proto::Backend& b) { return b.weight() > 0 && !b.drain(); });
    if (!takes_flows) continue;
    if (auto vip = IpAddr::parse(service.vip())) vips.insert(*vip);
  }
  return vips;
}

}  // namespace penstock
