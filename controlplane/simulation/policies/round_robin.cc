#include "controlplane/simulation/policies/round_robin.h"

namespace penstock::simulation {

void RoundRobin::start(const View& view) {
  turn_.assign(view.scenario().gateways.size(), std::vector<std::uint32_t>(view.scenario().services.size()));
}

PlacementIndex RoundRobin::choose(const NewFlow& flow, const View& view) {
  std::uint32_t& turn = turn_[flow.gateway][flow.service];
  const std::uint32_t count = view.count(flow.service);
  for (std::uint32_t tried = 0; tried < count; ++tried) {
    const PlacementIndex placement = view.first(flow.service) + turn;
    turn = (turn + 1) % count;
    if (view.usable(placement)) return placement;
  }
  return load::kNone;
}

}  // namespace penstock::simulation
