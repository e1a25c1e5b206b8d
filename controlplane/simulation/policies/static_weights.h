// The configured weights, whatever happens.
#pragma once

#include "controlplane/simulation/policy.h"

namespace penstock::simulation {

class StaticWeights final : public Policy {
 public:
  [[nodiscard]] std::string name() const override { return "static"; }
  void start(const View& view) override {}
};

}  // namespace penstock::simulation
