#include "controlplane/simulation/policies/oracle.h"

#include <limits>

namespace penstock::simulation {

PlacementIndex Oracle::choose(const NewFlow& flow, const View& view) {
  PlacementIndex best = load::kNone;
  double least = std::numeric_limits<double>::infinity();
  const std::uint32_t count = view.count(flow.service);
  for (std::uint32_t i = 0; i < count; ++i) {
    // Equal nodes take turns by the hash.
    const PlacementIndex placement =
        view.first(flow.service) + static_cast<std::uint32_t>((i + flow.hash) % count);
    if (!view.usable(placement)) continue;
    const double seconds = view.truth(placement, flow.size);
    if (seconds < least) least = seconds, best = placement;
  }
  return best;
}

}  // namespace penstock::simulation
