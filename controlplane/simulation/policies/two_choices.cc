#include "controlplane/simulation/policies/two_choices.h"

namespace penstock::simulation {

void TwoChoices::start(const View& view) {
  active_.assign(view.scenario().nodes.size(), 0);
  random_ = Random(view.scenario().seed, mix(2));
}

PlacementIndex TwoChoices::draw(ServiceIndex service, const View& view) {
  const std::uint32_t count = view.count(service);
  const std::uint32_t from = count > 0 ? random_.below(count) : 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    const PlacementIndex placement = view.first(service) + (from + i) % count;
    if (view.usable(placement)) return placement;
  }
  return load::kNone;
}

PlacementIndex TwoChoices::choose(const NewFlow& flow, const View& view) {
  const PlacementIndex a = draw(flow.service, view), b = draw(flow.service, view);
  if (a == load::kNone) return a;
  const auto placements = view.placements();
  return active_[placements[a].node] <= active_[placements[b].node] ? a : b;
}

}  // namespace penstock::simulation
