#include "controlplane/model/rules.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>

namespace penstock {
namespace {

std::string at(std::size_t index) { return "services[" + std::to_string(index) + "]"; }

}  // namespace

void check_services(std::span<const Service> services, Problems& problems) {
  if (services.size() > kMaxServices) {
    problems.push_back({"services", "must be at most " + std::to_string(kMaxServices) + " services"});
    return;
  }
  std::map<std::string, std::size_t> ids;
  std::map<VipKey, std::size_t> keys;
  std::map<IpAddr, std::size_t> vips;
  for (std::size_t i = 0; i < services.size(); ++i) {
    const Service& service = services[i];
    if (const auto [first, fresh] = ids.emplace(service.id, i); !fresh) {
      problems.push_back({at(i) + ".id", "'" + service.id + "' is also the id of " + at(first->second)});
    }
    if (const auto [first, fresh] = keys.emplace(service.key, i); !fresh) {
      problems.push_back({at(i) + ".vip", service.key.text() + " is also served by " + at(first->second)});
    }
    vips.emplace(service.key.vip, i);
  }
  for (std::size_t i = 0; i < services.size(); ++i) {
    for (std::size_t b = 0; b < services[i].backends.size(); ++b) {
      const auto vip = vips.find(services[i].backends[b].address);
      if (vip == vips.end()) continue;
      problems.push_back({at(i) + ".backends[" + std::to_string(b) + "].address",
                          vip->first.text() + " is the VIP of " + at(vip->second)});
    }
  }
}

Problems conflicts(const DesiredState& state, const Service& service) {
  Problems problems;
  if (!state.services.contains(service.id) && state.services.size() >= kMaxServices) {
    problems.push_back({"", "there are already " + std::to_string(kMaxServices) + " services"});
  }
  std::map<IpAddr, std::size_t> addresses;
  for (std::size_t i = 0; i < service.backends.size(); ++i) addresses.emplace(service.backends[i].address, i);
  std::set<std::size_t> reported;
  for (const auto& [id, other] : state.services) {
    if (id == service.id) continue;
    if (other->key == service.key) {
      problems.push_back({"vip", service.key.text() + " already belongs to service '" + id + "'"});
    }
    const auto own = addresses.find(other->key.vip);
    if (own != addresses.end() && reported.insert(own->second).second) {
      problems.push_back({"backends[" + std::to_string(own->second) + "].address",
                          own->first.text() + " is the VIP of service '" + id + "'"});
    }
    const bool vip_is_backend = std::any_of(other->backends.begin(), other->backends.end(),
                                            [&](const Backend& b) { return b.address == service.key.vip; });
    if (vip_is_backend) {
      problems.push_back({"vip", service.key.vip.text() + " is a backend's address in service '" + id + "'"});
    }
  }
  return problems;
}

}  // namespace penstock
