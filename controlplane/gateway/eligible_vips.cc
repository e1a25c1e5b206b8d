#include "controlplane/gateway/eligible_vips.h"

namespace penstock {

std::set<IpAddr> eligible_vips(const proto::DataplaneConfig& config) {
  std::set<IpAddr> vips;
  for (const proto::Service& service : config.services()) {
    if (service.backends().empty()) continue;
    if (auto vip = IpAddr::parse(service.vip())) vips.insert(*vip);
  }
  return vips;
}

}  // namespace penstock
