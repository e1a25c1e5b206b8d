#include "controlplane/simulation/policy.h"

namespace penstock::simulation {

PlacementIndex Policy::choose(const NewFlow& flow, const View& view) {
  const std::uint32_t backend = view.hashing(flow.service).pick(flow.hash);
  return backend == kNoBackend ? load::kNone : view.first(flow.service) + backend;
}

}  // namespace penstock::simulation
