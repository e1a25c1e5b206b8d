// Weighted least connection, as IPVS and HAProxy have it: the backend with the fewest flows of this gateway
// per configured weight. What other gateways sent there it does not know. O(backends) a flow.
#pragma once

#include <vector>

#include "controlplane/simulation/policy.h"

namespace penstock::simulation {

class LeastConnection final : public Policy {
 public:
  [[nodiscard]] std::string name() const override { return "least-connection"; }
  void start(const View& view) override;
  [[nodiscard]] PlacementIndex choose(const NewFlow& flow, const View& view) override;

 private:
  std::vector<double> weights_;  // per placement
};

}  // namespace penstock::simulation
