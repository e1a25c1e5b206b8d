#include "controlplane/simulation/policies/hot_cold.h"

#include <algorithm>
#include <cmath>

namespace penstock::simulation {

void HotCold::start(const View& view) {
  heat_.assign(view.scenario().nodes.size(), {});
  said_.assign(heat_.size(), load::kAbsent);
  weights_.start(view);
}

void HotCold::end_second(double now) {
  std::vector<double> heard;
  for (double& seconds : said_) {
    if (!std::isnan(seconds)) heard.push_back(seconds);
    seconds = load::kAbsent;
  }
  second_ends_ = now + 1;
  if (heard.empty()) return;
  std::sort(heard.begin(), heard.end());
  seconds_ = std::min(seconds_ + 1, settings_.memory);
  usual_ += (heard[(heard.size() - 1) / 4] - usual_) / seconds_;
}

void HotCold::on_probe(const ProbeReply& reply, double now) {
  if (now >= second_ends_) end_second(now);
  const double late_after = usual_ > 0 ? std::max(settings_.least_late, settings_.late_factor * usual_) : 0;
  heat_[reply.node].hear(reply.latency_p99_seconds, reply.window_utilization, late_after);
  if (!std::isnan(reply.latency_p99_seconds)) said_[reply.node] = reply.latency_p99_seconds;
  if (weights_.wants_probes()) weights_.on_probe(reply, now);
}

PlacementIndex HotCold::choose(const NewFlow& flow, const View& view) {
  const FlowHashing& hashing = view.hashing(flow.service);
  const std::uint32_t primary = hashing.pick(flow.hash);
  if (primary == kNoBackend) return load::kNone;
  const PlacementIndex first = view.first(flow.service);
  const Heat& heat = heat_[view.placements()[first + primary].node];
  const bool stays = heat.rank() == 0 || mix(flow.hash ^ 0xa5) % 256 < settings_.kept[heat.late()];
  if (stays) return first + primary;
  const std::uint32_t alternate = hashing.alternate(flow.hash);
  const bool cooler = heat_[view.placements()[first + alternate].node].rank() < heat.rank();
  return first + (cooler ? alternate : primary);
}

}  // namespace penstock::simulation
