#include "controlplane/model/weight_policy.h"

#include <algorithm>
#include <array>

namespace penstock {

std::span<const WeightPolicy> built_in_policies() {
  static const std::array<WeightPolicy, 5> kAll = {
      WeightPolicy{.id = kStaticPolicy, .kind = WeightPolicyKind::kStatic},
      WeightPolicy{.id = "least-load", .kind = WeightPolicyKind::kLeastLoad},
      WeightPolicy{.id = "latency", .kind = WeightPolicyKind::kLatency},
      WeightPolicy{.id = "cost", .kind = WeightPolicyKind::kCost},
      WeightPolicy{.id = "energy", .kind = WeightPolicyKind::kEnergy}};
  return kAll;
}

const WeightPolicy* built_in_policy(std::string_view id) {
  const auto all = built_in_policies();
  const auto found = std::find_if(all.begin(), all.end(), [&](const WeightPolicy& p) { return p.id == id; });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace penstock
