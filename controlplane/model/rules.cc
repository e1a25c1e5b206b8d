#include "controlplane/model/rules.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>

#include "penstock/config/vip_prefix.h"

namespace penstock {
namespace {

std::string at(std::size_t index) { return "services[" + std::to_string(index) + "]"; }

bool is_range(const VipKey& key) { return key.last_port != 0; }

/// What ranges of ports must share to be in each other's way.
auto owner_of_ports(const VipKey& key) { return std::tuple(key.vip, key.prefix_length, key.protocol); }

/// Two ranges, neither of which goes before the other. One port within a range is no conflict: it goes first.
bool overlap(const VipKey& a, const VipKey& b) {
  return is_range(a) && is_range(b) && owner_of_ports(a) == owner_of_ports(b) && a != b &&
         a.port <= b.last_port && b.port <= a.last_port;
}

/// The VIPs of a set, to find the one that an address lies in. O(prefix lengths in use · log n) a look-up.
class VipIndex {
 public:
  void add(const VipKey& key, std::size_t service) {
    vips_[{key.vip.is_v6(), key.bits()}].emplace(key.vip, std::pair(key, service));
  }

  /// A VIP that covers `address`, with its service.
  [[nodiscard]] const std::pair<VipKey, std::size_t>* find(const IpAddr& address) const {
    for (const auto& [kind, vips] : vips_) {
      if (kind.first != address.is_v6()) continue;
      const auto found = vips.find(first_address(address, kind.second));
      if (found != vips.end()) return &found->second;
    }
    return nullptr;
  }

 private:
  std::map<std::pair<bool, unsigned>, std::map<IpAddr, std::pair<VipKey, std::size_t>>> vips_;
};

std::string is_vip_of(const IpAddr& address, const VipKey& key, const std::string& service) {
  return address.text() + (key.is_prefix() ? " is within " + key.vip_text() + ", " : " is ") + "the VIP of " +
         service;
}

std::string no_policy(const std::string& id) { return "there is no policy '" + id + "'"; }

std::string overlaps(const VipKey& key, const VipKey& other, const std::string& service) {
  return "the range of " + key.text() + " overlaps " + other.port_text() + " of " + service;
}

void check_ranges(std::span<const Service> services, Problems& problems) {
  std::map<decltype(owner_of_ports(VipKey{})), std::map<std::uint16_t, std::size_t>> ranges;
  for (std::size_t i = 0; i < services.size(); ++i) {
    const VipKey& key = services[i].key;
    if (!is_range(key)) continue;
    auto& same = ranges[owner_of_ports(key)];
    const auto after = same.lower_bound(key.port);
    std::optional<std::size_t> other;
    if (after != same.end() && overlap(key, services[after->second].key)) other = after->second;
    if (after != same.begin() && overlap(key, services[std::prev(after)->second].key)) {
      other = std::prev(after)->second;
    }
    if (other) problems.push_back({at(i) + ".port", overlaps(key, services[*other].key, at(*other))});
    // Kept also after a conflict, so that each later range is compared with its neighbours.
    same.emplace(key.port, i);
  }
}

}  // namespace

void check_services(std::span<const Service> services, Problems& problems) {
  if (services.size() > kMaxServices) {
    problems.push_back({"services", "must be at most " + std::to_string(kMaxServices) + " services"});
    return;
  }
  std::map<std::string, std::size_t> ids;
  std::map<VipKey, std::size_t> keys;
  VipIndex vips;
  for (std::size_t i = 0; i < services.size(); ++i) {
    const Service& service = services[i];
    if (const auto [first, fresh] = ids.emplace(service.id, i); !fresh) {
      problems.push_back({at(i) + ".id", "'" + service.id + "' is also the id of " + at(first->second)});
    }
    if (const auto [first, fresh] = keys.emplace(service.key, i); !fresh) {
      problems.push_back({at(i) + ".vip", service.key.text() + " is also served by " + at(first->second)});
    }
    vips.add(service.key, i);
  }
  check_ranges(services, problems);
  for (std::size_t i = 0; i < services.size(); ++i) {
    for (std::size_t b = 0; b < services[i].backends.size(); ++b) {
      const IpAddr& address = services[i].backends[b].address;
      const auto* vip = vips.find(address);
      if (vip == nullptr) continue;
      problems.push_back({at(i) + ".backends[" + std::to_string(b) + "].address",
                          is_vip_of(address, vip->first, at(vip->second))});
    }
  }
}

void check_policies(std::span<const Service> services, const DesiredState& state, Problems& problems) {
  for (std::size_t i = 0; i < services.size(); ++i) {
    if (find_policy(state, services[i].policy) != nullptr) continue;
    problems.push_back({at(i) + ".policy", no_policy(services[i].policy)});
  }
}

std::vector<std::string> users_of_policy(const DesiredState& state, std::string_view policy) {
  std::vector<std::string> out;
  for (const auto& [id, service] : state.services) {
    if (service->policy == policy) out.push_back(id);
  }
  return out;
}

Problems conflicts(const DesiredState& state, const Service& service) {
  Problems problems;
  if (!state.services.contains(service.id) && state.services.size() >= kMaxServices) {
    problems.push_back({"", "there are already " + std::to_string(kMaxServices) + " services"});
  }
  if (find_policy(state, service.policy) == nullptr)
    problems.push_back({"policy", no_policy(service.policy)});
  std::map<IpAddr, std::size_t> addresses;
  for (std::size_t i = 0; i < service.backends.size(); ++i) addresses.emplace(service.backends[i].address, i);
  std::set<std::size_t> reported;
  for (const auto& [id, other] : state.services) {
    if (id == service.id) continue;
    const std::string name = "service '" + id + "'";
    if (other->key == service.key) {
      problems.push_back({"vip", service.key.text() + " already belongs to " + name});
    }
    if (overlap(service.key, other->key)) {
      problems.push_back({"port", overlaps(service.key, other->key, name)});
    }
    // The addresses of a prefix follow each other, so the first one at or after its beginning tells.
    for (auto own = addresses.lower_bound(other->key.vip);
         own != addresses.end() && covers(other->key, own->first); ++own) {
      if (!reported.insert(own->second).second) continue;
      problems.push_back(
          {"backends[" + std::to_string(own->second) + "].address", is_vip_of(own->first, other->key, name)});
    }
    const auto inside = std::find_if(other->backends.begin(), other->backends.end(),
                                     [&](const Backend& b) { return covers(service.key, b.address); });
    if (inside != other->backends.end()) {
      problems.push_back({"vip", inside->address.text() + " is a backend's address in " + name});
    }
  }
  return problems;
}

}  // namespace penstock
