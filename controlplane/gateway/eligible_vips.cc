#include "controlplane/gateway/eligible_vips.h"

namespace penstock {

std::set<VipPrefix> eligible_vips(const proto::DataplaneConfig& config) {
  std::set<VipPrefix> vips;
  for (const proto::Service& service : config.services()) {
    if (service.backends().empty()) continue;
    if (auto vip = parse_vip(service.vip())) vips.insert(*vip);
  }
  return vips;
}

}  // namespace penstock
