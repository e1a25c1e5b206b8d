// What InteriorPoint's iterate is worth: the objective at its shares, and what no shares can be below.
#include <algorithm>
#include <cmath>

#include "controlplane/load/interior_point.h"

namespace penstock::load {

// Rounding leaves the shares a little off their sums. The difference is spread over the room up to the
// limits.
void InteriorPoint::onto_sums() {
  const auto& p = *p_;
  projected_ = x_;
  const std::size_t services = price_.size();
  for (int pass = 0; pass < 2; ++pass) {
    scratch_.assign(3 * services, 0);
    double *const sum = scratch_.data(), *const down = sum + services, *const up = down + services;
    for (std::size_t i = 0; i < x_.size(); ++i) {
      const ServiceIndex s = p.service_of[i];
      sum[s] += projected_[i];
      down[s] += projected_[i] - p.lower[i];
      up[s] += p.upper[i] - projected_[i];
    }
    for (std::size_t s = 0; s < services; ++s) {
      const double missing = p.remaining[s] - sum[s];
      up[s] = missing > 0 && up[s] > 0 ? std::min(1.0, missing / up[s]) : 0;
      down[s] = missing < 0 && down[s] > 0 ? std::min(1.0, -missing / down[s]) : 0;
    }
    for (std::size_t i = 0; i < x_.size(); ++i) {
      const ServiceIndex s = p.service_of[i];
      projected_[i] += up[s] * (p.upper[i] - projected_[i]) - down[s] * (projected_[i] - p.lower[i]);
    }
  }
}

void InteriorPoint::evaluate() {
  const auto& p = *p_;
  onto_sums();
  loads(level_, projected_);
  double t = 0, overload = 0, value = p.constant, over_budget = 0, violation = 0;
  for (const auto& node : p.nodes) {
    double r = 0;
    for (std::size_t k = node.first_row; k < node.first_row + node.rows; ++k) r = std::max(r, level_[k]);
    t = std::max(t, r);
    overload = std::max(overload, r - node.limit);
    value += p.curve(node, r).value;
  }
  scratch_.assign(price_.size(), 0);
  for (std::size_t i = 0; i < x_.size(); ++i) {
    value += p.cost[i] * projected_[i];
    scratch_[p.service_of[i]] += p.spending[i] * projected_[i];
  }
  for (std::size_t s = 0; s < price_.size(); ++s) {
    if (budget_row_[s] == kNone) continue;
    over_budget += std::max(0.0, scratch_[s] - p.budget[s]);
    violation = std::max(violation, scratch_[s] - p.budget[s]);
  }
  value += p.balance * t + p.penalty * (overload + over_budget);
  const double bound = certified_bound();
  if (std::isfinite(bound)) bound_ = std::max(bound_, bound);
  if (!(value < value_)) return;
  value_ = value;
  worst_ = t;
  violation_ = std::max(overload, violation);
  best_ = projected_;
}

// Lagrange: with any multipliers >= 0 of t - r, e + limit - r, the rows and the budgets, where those of t sum
// to the balance and those of e to no more than the penalty,
//   min over r of (G_n(r) - g_n r), plus for each share its slope times whichever end is less, plus
//   constants.
// g_n is what the rows' multipliers exceed those of t and e by. They are first scaled so that the minimum
// lies near the iterate's r, or between that and what its shares load the node with: where G_n is nearly flat
// a little too much would send it far off.
double InteriorPoint::certified_bound() {
  const auto& p = *p_;
  double sum_q = 0, sum_o = 0, bound = p.constant;
  for (const auto& n : nodes_) sum_q += n.balance.dual, sum_o += n.overload.dual;
  const double scale_q = sum_q > 0 ? p.balance / sum_q : 0,
               scale_o = sum_o > p.penalty ? p.penalty / sum_o : 1;
  slope_ = p.cost;
  for (std::size_t n = 0; n < nodes_.size(); ++n) {
    const auto& node = p.nodes[n];
    double r = 0, duals = 0;
    for (std::size_t k = node.first_row; k < node.first_row + node.rows; ++k) {
      r = std::max(r, level_[k]);
      duals += rows_[k].dual;
    }
    const double q = nodes_[n].balance.dual * scale_q, o = nodes_[n].overload.dual * scale_o;
    double low = std::clamp(0.95 * std::min(r, nodes_[n].r), node.lowest, node.highest),
           high = std::clamp(1.05 * std::max(r, nodes_[n].r), low, node.highest);
    const double g = std::clamp(duals - q - o, p.curve(node, low).slope, p.curve(node, high).slope);
    // G's slope is below g at `low` and above it at `high`: what lies between has the minimum.
    if (node.latencies == 0) {
      r = node.quadratic > 0 ? std::clamp(g / (2 * node.quadratic), low, high) : r;
    } else {
      for (int i = 0; i < 30; ++i) {
        r = 0.5 * (low + high);
        (p.curve(node, r).slope < g ? low : high) = r;
      }
    }
    bound += p.curve(node, r).value - g * r - o * node.limit;
    const double scale = (q + o + g) / duals;
    const double* rate = p.rates.data() + node.first_rate;
    for (std::size_t k = node.first_row; k < node.first_row + node.rows; ++k, rate += node.count) {
      const double part = scale * rows_[k].dual;
      bound += part * p.base[k];
      for (std::size_t j = 0; j < node.count; ++j) slope_[node.first + j] += part * rate[j];
    }
  }
  for (std::size_t s = 0; s < price_.size(); ++s) {
    bound += price_[s] * p.remaining[s];
    if (budget_row_[s] != kNone) bound -= budget_[s].dual * p.budget[s];
  }
  for (std::size_t i = 0; i < x_.size(); ++i) {
    const ServiceIndex s = p.service_of[i];
    double slope = slope_[i] - price_[s];
    if (budget_row_[s] != kNone) slope += budget_[s].dual * p.spending[i];
    bound += slope * (slope > 0 ? p.lower[i] : p.upper[i]);
  }
  return bound;
}

}  // namespace penstock::load
