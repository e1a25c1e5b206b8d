// Perfect knowledge: the node where the flow would end first if nothing else came, at this instant. No real
// policy can know this; it bounds what probing may reach. O(backends) a flow.
#pragma once

#include "controlplane/simulation/policy.h"

namespace penstock::simulation {

class Oracle final : public Policy {
 public:
  [[nodiscard]] std::string name() const override { return "oracle"; }
  void start(const View& view) override {}
  [[nodiscard]] PlacementIndex choose(const NewFlow& flow, const View& view) override;
};

}  // namespace penstock::simulation
