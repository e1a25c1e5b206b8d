#include "controlplane/simulation/policies/hot_cold.h"

#include <algorithm>
#include <cmath>

namespace penstock::simulation {

void HotCold::start(const View& view) {
  heat_.assign(view.scenario().nodes.size(), {});
  weights_.start(view);
}

void HotCold::on_probe(const ProbeReply& reply, double now) {
  const double late_after = usual_ > 0 ? std::max(settings_.least_late, settings_.late_factor * usual_) : 0;
  heat_[reply.node].hear(reply.latency_seconds, reply.utilization, late_after);
  if (!std::isnan(reply.latency_seconds))
    usual_ += (usual_ > 0 ? settings_.memory : 1) * (reply.latency_seconds - usual_);
  if (weights_.wants_probes()) weights_.on_probe(reply, now);
}

PlacementIndex HotCold::choose(const NewFlow& flow, const View& view) {
  const FlowHashing& hashing = view.hashing(flow.service);
  const std::uint32_t primary = hashing.pick(flow.hash);
  if (primary == kNoBackend) return load::kNone;
  const PlacementIndex first = view.first(flow.service);
  const Heat& heat = heat_[view.placements()[first + primary].node];
  const bool stays = heat.rank() == 0 || (heat.late() && mix(flow.hash ^ 0xa5) % 256 < 4);
  if (stays) return first + primary;
  const std::uint32_t alternate = hashing.alternate(flow.hash);
  const bool cooler = heat_[view.placements()[first + alternate].node].rank() < heat.rank();
  return first + (cooler ? alternate : primary);
}

}  // namespace penstock::simulation
