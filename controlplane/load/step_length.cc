// How far InteriorPoint goes along a direction: short of every limit, and no farther than Newton's model of
// the latency terms holds.
#include <algorithm>

#include "controlplane/load/interior_point.h"

namespace penstock::load {

namespace {

constexpr double kToBoundary = 0.995;  // of the way to the nearest limit at most

/// Longest multiple of a step that keeps everything seen above zero.
class Room {
 public:
  void see(double at, double step) { most_ = std::max(most_, -step / at); }
  [[nodiscard]] double step() const { return most_ * 1 <= kToBoundary ? 1 : kToBoundary / most_; }

 private:
  double most_ = 0;
};

}  // namespace

InteriorPoint::Steps InteriorPoint::longest_step() {
  const auto& p = *p_;
  Room primal, dual;
  const auto see = [&](const Pair& pair) {
    primal.see(pair.slack, pair.step);
    dual.see(pair.dual, pair.dual_step());
  };
  for (std::size_t i = 0; i < x_.size(); ++i) {
    see({x_[i] - p.lower[i], lower_dual_[i], dx_[i], lower_target_[i]});
    see({p.upper[i] - x_[i], upper_dual_[i], -dx_[i], upper_target_[i]});
  }
  each_pair(see);
  for (std::size_t s = 0; s < price_.size(); ++s) {
    if (budget_row_[s] == kNone) continue;
    const double step = right_[budget_row_[s]];
    primal.see(budget_[s].slack, budget_[s].step);
    primal.see(excess_[s].slack, excess_[s].step);
    dual.see(budget_[s].dual, step);
    dual.see(excess_[s].dual, -step);
  }
  Steps steps{primal.step(), dual.step()};
  if (!latency_.empty()) steps.primal = trusted_step(steps.primal);
  return steps;
}

// Along the direction d the model's slope is -(1 - a) d H d at step a, were the latency terms quadratic. What
// they are not adds to it; as long as that is below half of d H d the step still goes down.
double InteriorPoint::trusted_step(double most) const {
  const auto& p = *p_;
  double curved = 0;
  const auto add = [&curved](const Pair& pair) { curved += pair.weight() * pair.step * pair.step; };
  for (std::size_t i = 0; i < x_.size(); ++i) curved += dx_[i] * dx_[i] / inverse_d_[i];
  for (const auto& row : rows_) add(row);
  for (std::size_t n = 0; n < nodes_.size(); ++n) {
    add(nodes_[n].balance), add(nodes_[n].overload);
    curved += 2 * p.nodes[n].quadratic * nodes_[n].dr * nodes_[n].dr;
  }
  for (const auto& term : latency_) {
    // Its bend holds the weights of both of its limits too.
    const double own = term.bend - term.above.weight() - term.kink.weight();
    curved += own * term.kink.step * term.kink.step;
    add(term.above), add(term.kink);
  }
  add(e_);
  for (int tries = 0; tries < 30; ++tries, most *= 0.7) {
    double error = 0;
    for (std::size_t n = 0; n < nodes_.size(); ++n) {
      const auto& node = p.nodes[n];
      for (std::uint32_t l = node.first_latency; l < node.first_latency + node.latencies; ++l) {
        const double s = latency_[l].s, ds = latency_[l].kink.step;
        const auto from = p.latency_at(node, p.latency[l], s),
                   to = p.latency_at(node, p.latency[l], s + most * ds);
        error += (to.slope - from.slope - most * from.bend * ds) * ds;
      }
    }
    if (error <= 0.5 * curved) break;
  }
  return most;
}

}  // namespace penstock::load
