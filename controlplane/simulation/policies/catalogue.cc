#include "controlplane/simulation/policies/catalogue.h"

#include <array>

#include "controlplane/simulation/policies/latency_curves.h"
#include "controlplane/simulation/policies/least_connection.h"
#include "controlplane/simulation/policies/oracle.h"
#include "controlplane/simulation/policies/orca_wrr.h"
#include "controlplane/simulation/policies/prequal.h"
#include "controlplane/simulation/policies/round_robin.h"
#include "controlplane/simulation/policies/static_weights.h"
#include "controlplane/simulation/policies/two_choices.h"

namespace penstock::simulation {
namespace {

template <class T>
std::unique_ptr<Policy> make() {
  return std::make_unique<T>();
}

struct Entry {
  std::string_view name;
  std::unique_ptr<Policy> (*make)();
};
constexpr std::array kPolicies{
    Entry{"static", make<StaticWeights>},
    Entry{"round-robin", make<RoundRobin>},
    Entry{"least-connection", make<LeastConnection>},
    Entry{"two-choices", make<TwoChoices>},
    Entry{"orca-wrr", make<OrcaWrr>},
    Entry{"prequal", make<Prequal>},
    Entry{"latency-curves", make<LatencyCurves>},
    Entry{"oracle", make<Oracle>},
};

constexpr auto kNames = [] {
  std::array<std::string_view, kPolicies.size()> names;
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = kPolicies[i].name;
  return names;
}();

}  // namespace

std::span<const std::string_view> policy_names() { return kNames; }

std::unique_ptr<Policy> make_policy(std::string_view name) {
  for (const Entry& entry : kPolicies)
    if (entry.name == name) return entry.make();
  return nullptr;
}

}  // namespace penstock::simulation
