// Every gateway deals its flows out in turn, whatever the backends' size or load.
#pragma once

#include <vector>

#include "controlplane/simulation/policy.h"

namespace penstock::simulation {

class RoundRobin final : public Policy {
 public:
  [[nodiscard]] std::string name() const override { return "round-robin"; }
  void start(const View& view) override;
  [[nodiscard]] PlacementIndex choose(const NewFlow& flow, const View& view) override;

 private:
  std::vector<std::vector<std::uint32_t>> turn_;  // [gateway][service]
};

}  // namespace penstock::simulation
