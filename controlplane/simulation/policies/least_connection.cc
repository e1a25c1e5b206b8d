#include "controlplane/simulation/policies/least_connection.h"

#include <limits>

namespace penstock::simulation {

void LeastConnection::start(const View& view) {
  weights_.assign(view.placements().size(), 1);
  for (ServiceIndex s = 0; s < view.scenario().services.size(); ++s) {
    const auto& configured = view.scenario().services[s].weights;
    for (std::uint32_t i = 0; i < configured.size(); ++i) weights_[view.first(s) + i] = configured[i];
  }
}

PlacementIndex LeastConnection::choose(const NewFlow& flow, const View& view) {
  PlacementIndex best = load::kNone;
  double least = std::numeric_limits<double>::infinity();
  const std::uint32_t count = view.count(flow.service);
  if (count == 0) return best;
  // Ties go to whom the hash comes to first; a fixed order would favour the first of the list.
  const auto offset = static_cast<std::uint32_t>(flow.hash % count);
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t at = i + offset < count ? i + offset : i + offset - count;
    const PlacementIndex placement = view.first(flow.service) + at;
    if (weights_[placement] <= 0 || !view.usable(placement)) continue;
    const double load = (view.own_flows(flow.gateway, placement) + 1) / weights_[placement];
    if (load < least) least = load, best = placement;
  }
  return best;
}

}  // namespace penstock::simulation
