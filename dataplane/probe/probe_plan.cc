#include "dataplane/probe/probe_plan.h"

#include <cstring>
#include <map>
#include <utility>

#include "penstock/base/derived_key.h"

namespace penstock {

ProbePlan make_probe_plan(const Document& document, const Snapshot& snapshot) {
  ProbePlan plan;
  const DerivedKey key = derive_key(document.hash_key, kProbeKeyPurpose);
  std::memcpy(&plan.key, key.data(), sizeof plan.key);
  std::map<IpAddr, std::vector<ProbedService>> by_address;
  for (const auto& service : snapshot.services()) {
    const ServiceDocument& d = service->document;
    JudgedService& judged = plan.services.emplace_back();
    judged.index = service->index;
    judged.health = d.health;
    for (std::size_t i = 0; i < d.backends.size(); ++i) {
      const BackendDocument& b = d.backends[i];
      judged.backends.push_back({service->backends[i], b.maintenance, b.effective_weight() != 0});
    }
    if (d.encap != Encap::kGue && d.encap != Encap::kIpip) continue;
    for (std::size_t i = 0; i < d.backends.size(); ++i)
      by_address[d.backends[i].address].push_back({service->backends[i], d.key});
  }
  for (auto& [address, services] : by_address) plan.addresses.push_back({address, std::move(services)});
  return plan;
}

}  // namespace penstock
