// Power of two choices (Mitzenmacher 2001) on what the last probes said: of two backends drawn by chance, the
// one with fewer living flows. The numbers are as old as probes are.
#pragma once

#include <vector>

#include "controlplane/simulation/policy.h"

namespace penstock::simulation {

class TwoChoices final : public Policy {
 public:
  [[nodiscard]] std::string name() const override { return "two-choices"; }
  void start(const View& view) override;
  [[nodiscard]] bool wants_probes() const override { return true; }
  void on_probe(const ProbeReply& reply, double now) override { active_[reply.node] = reply.active_flows; }
  [[nodiscard]] PlacementIndex choose(const NewFlow& flow, const View& view) override;

 private:
  [[nodiscard]] PlacementIndex draw(ServiceIndex service, const View& view);

  Random random_{0, 0};
  std::vector<std::uint32_t> active_;  // per node, by its last probe
};

}  // namespace penstock::simulation
