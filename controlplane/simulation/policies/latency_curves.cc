#include "controlplane/simulation/policies/latency_curves.h"

#include <algorithm>
#include <cmath>
#include <queue>
#include <utility>

#include "controlplane/simulation/policies/scaled_weights.h"

namespace penstock::simulation {

void LatencyOfLoad::observe(double load, double latency_seconds, double kept) {
  const double x = load * load, y = latency_seconds;
  n_ = kept * n_ + 1;
  x_ = kept * x_ + x;
  y_ = kept * y_ + y;
  xx_ = kept * xx_ + x * x;
  xy_ = kept * xy_ + x * y;
  const double spread = n_ * xx_ - x_ * x_;
  // Loads that hardly differ say nothing of a slope; a negative one is noise.
  slope_ = spread > 1e-6 * n_ * xx_ ? std::max((n_ * xy_ - x_ * y_) / spread, 0.0) : 0;
  base_ = (y_ - slope_ * x_) / n_;
  if (base_ < 0) {
    base_ = 0;
    slope_ = xx_ > 0 ? xy_ / xx_ : 0;
  }
}

std::vector<double> fill_by_latency(std::span<const LatencyOfLoad> curves, double demand,
                                    std::uint32_t pieces) {
  std::vector<double> loads(curves.size());
  using Next = std::pair<double, std::uint32_t>;  // marginal latency, backend
  std::priority_queue<Next, std::vector<Next>, std::greater<>> next;
  const double piece = demand / pieces;
  const auto offer = [&](std::uint32_t i) { next.emplace(curves[i].marginal(loads[i] + piece / 2), i); };
  for (std::uint32_t i = 0; i < curves.size(); ++i) offer(i);
  for (std::uint32_t given = 0; given < pieces && !next.empty(); ++given) {
    const std::uint32_t i = next.top().second;
    next.pop();
    loads[i] += piece;
    offer(i);
  }
  for (double& load : loads) load /= demand;
  return loads;
}

void LatencyCurves::start(const View& view) {
  view_ = &view;
  curves_.assign(view.placements().size(), {});
  rates_.assign(view.placements().size(), 0);
  weights_.assign(view.placements().size(), 1);
  for (ServiceIndex s = 0; s < view.scenario().services.size(); ++s) {
    const auto& configured = view.scenario().services[s].weights;
    for (std::uint32_t i = 0; i < configured.size(); ++i) weights_[view.first(s) + i] = configured[i];
  }
}

void LatencyCurves::on_report(const load::NodeReport& report, double now) {
  for (const load::PlacementReport& said : report.placements) {
    rates_[said.placement] += 0.2 * (said.traffic.new_flows - rates_[said.placement]);
    if (said.latency_seconds > 0)
      curves_[said.placement].observe(rates_[said.placement], said.latency_seconds, settings_.kept);
  }
}

void LatencyCurves::step(double now, Actions& actions) {
  const bool trial = steps_++ < settings_.trials;
  for (ServiceIndex s = 0; s < view_->scenario().services.size(); ++s) {
    const std::uint32_t first = view_->first(s), count = view_->count(s);
    std::vector<double> weights(weights_.begin() + first, weights_.begin() + first + count);
    if (trial) {
      for (std::uint32_t i = 0; i < count; ++i) weights[i] *= 0.7 + 0.3 * ((i + steps_) % 3);
      actions.set_weights(s, scaled_weights(weights));
      continue;
    }
    const std::span<const LatencyOfLoad> curves(curves_.data() + first, count);
    double demand = 0, sum = 0;
    for (std::uint32_t i = 0; i < count; ++i) demand += rates_[first + i];
    for (double weight : weights) sum += weight;
    if (!(demand > 0) || !(sum > 0) ||
        !std::all_of(curves.begin(), curves.end(), [](const auto& c) { return c.known(); }))
      continue;
    const std::vector<double> shares = fill_by_latency(curves, demand, 64 * count);
    for (std::uint32_t i = 0; i < count; ++i) {
      const double old = weights[i] / sum, least = 0.1 / count;
      weights_[first + i] = std::clamp(std::max(shares[i], least), old * (1 - settings_.most_change),
                                       old * (1 + settings_.most_change));
    }
    actions.set_weights(s, scaled_weights({weights_.data() + first, count}));
  }
}

}  // namespace penstock::simulation
