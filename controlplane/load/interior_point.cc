#include "controlplane/load/interior_point.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace penstock::load {

namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();
constexpr double kEnough = 0.3;        // of the wanted gap
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

void InteriorPoint::run(const Programme& programme) {
  p_ = &programme;
  value_ = kInfinite;
  bound_ = 0;
  iterations_ = 0;
  start();
  evaluate();
  double centring = 0.2;
  while (!x_.empty() && iterations_ < p_->settings.most_iterations) {
    const double sum = complementarity();
    // The sum is what value and bound differ by once the multipliers fit; until then there is nothing to
    // prove.
    const auto wanted = [&] { return std::max(p_->settings.gap * value_, p_->smallest); };
    if (sum < 3 * wanted() || iterations_ % 8 == 7) evaluate();
    if (value_ - bound_ <= wanted()) break;
    // Below a part of what is wanted the sum has nothing more to give, and slacks vanish before the
    // multipliers fit.
    const double mu = std::max(centring * sum, kEnough * wanted()) / static_cast<double>(pairs_);
    if (!newton(mu)) break;
    const Steps step = longest_step(mu);
    if (!(std::max(step.primal, step.dual) > 1e-10)) break;
    advance(step, mu);
    ++iterations_;
    const double least = std::min(step.primal, step.dual);
    centring = std::clamp((1 - least) * (1 - least), 0.05, 0.8);
  }
  evaluate();
}

void InteriorPoint::start() {
  const auto& p = *p_;
  const std::size_t services = p.remaining.size();
  x_.resize(p.placement_of.size());
  scratch_.assign(2 * services, 0);
  for (std::size_t i = 0; i < x_.size(); ++i) {
    scratch_[2 * p.service_of[i]] += p.lower[i];
    scratch_[2 * p.service_of[i] + 1] += p.upper[i];
  }
  for (std::size_t i = 0; i < x_.size(); ++i) {
    const double low = scratch_[2 * p.service_of[i]], high = scratch_[2 * p.service_of[i] + 1];
    x_[i] = p.lower[i] + (p.remaining[p.service_of[i]] - low) / (high - low) * (p.upper[i] - p.lower[i]);
  }
  best_ = x_;
  rows_.assign(p.base.size(), {});
  nodes_.assign(p.nodes.size(), {});
  latency_.assign(p.latency.size(), {});
  r_gradient_.resize(nodes_.size());
  loads(level_, x_);
  double scale = 0;
  std::uint32_t u = 0;
  for (std::size_t n = 0; n < nodes_.size(); ++n) {
    const auto& node = p.nodes[n];
    for (std::size_t k = node.first_row; k < node.first_row + node.rows; ++k)
      nodes_[n].r = std::max(nodes_[n].r, level_[k]);
    scale = std::max(scale, nodes_[n].r);
    nodes_[n].first_u = u;
    u += node.rows * (node.count + 1);
  }
  u_.resize(u);
  scale = std::max(scale, 1e-6);
  t_ = 0;
  double e = 0;
  for (std::size_t n = 0; n < nodes_.size(); ++n) {
    const auto& node = p.nodes[n];
    double& r = nodes_[n].r;
    r += 0.1 * scale;
    t_ = std::max(t_, r);
    e = std::max(e, r - node.limit);
    for (std::size_t k = node.first_row; k < node.first_row + node.rows; ++k) rows_[k].slack = r - level_[k];
    for (std::uint32_t l = node.first_latency; l < node.first_latency + node.latencies; ++l) {
      auto& term = latency_[l];
      term.s = std::max(r, p.latency[l].kink) + 0.1 * scale;
      term.above.slack = term.s - r;
      term.kink.slack = term.s - p.latency[l].kink;
    }
  }
  t_ += 0.1 * scale;
  e_.slack = e + 0.1 * scale;
  for (std::size_t n = 0; n < nodes_.size(); ++n) {
    nodes_[n].balance.slack = t_ - nodes_[n].r;
    nodes_[n].overload.slack = e_.slack + p.nodes[n].limit - nodes_[n].r;
  }
  start_duals(p.penalty / p.settings.penalty * scale /
              static_cast<double>(std::max<std::size_t>(1, nodes_.size())));
}

void InteriorPoint::start_duals(double mu) {
  const auto& p = *p_;
  const std::size_t services = p.remaining.size();
  const auto centre = [mu](Pair& pair) { pair.dual = mu / pair.slack; };
  budget_row_.assign(services, kNone);
  price_.assign(services, 0);
  budget_.assign(services, {});
  excess_.assign(services, {});
  order_ = services;
  pairs_ = 2 * x_.size() + rows_.size() + 2 * nodes_.size() + 2 * latency_.size() + 1;
  scratch_.assign(services, 0);
  for (std::size_t i = 0; i < x_.size(); ++i) scratch_[p.service_of[i]] += p.spending[i] * x_[i];
  for (std::size_t s = 0; s < services; ++s) {
    if (!(p.budget[s] < kInfinite)) continue;
    budget_row_[s] = static_cast<std::uint32_t>(order_++);
    excess_[s].slack = std::max(0.0, scratch_[s] - p.budget[s]) + 0.1;
    budget_[s].slack = p.budget[s] + excess_[s].slack - scratch_[s];
    budget_[s].dual = std::min(p.penalty / 2, mu / budget_[s].slack);
    excess_[s].dual = p.penalty - budget_[s].dual;
    pairs_ += 2;
  }
  budgets_ = order_ > services;
  order_ += 2;
  dx_.resize(x_.size()), inverse_d_.resize(x_.size()), gradient_.resize(x_.size());
  lower_dual_.resize(x_.size()), upper_dual_.resize(x_.size());
  for (std::size_t i = 0; i < x_.size(); ++i) {
    lower_dual_[i] = mu / (x_[i] - p.lower[i]);
    upper_dual_[i] = mu / (p.upper[i] - x_[i]);
  }
  for (auto& row : rows_) centre(row);
  for (auto& node : nodes_) centre(node.balance), centre(node.overload);
  for (auto& term : latency_) centre(term.above), centre(term.kink);
  centre(e_);
}

// Normalised utilisation of every row at the shares.
void InteriorPoint::loads(std::vector<double>& out, const std::vector<double>& share) const {
  out.resize(p_->base.size());
  for (const auto& node : p_->nodes) {
    const double* rate = p_->rates.data() + node.first_rate;
    for (std::size_t k = 0; k < node.rows; ++k, rate += node.count) {
      double sum = p_->base[node.first_row + k];
      for (std::size_t j = 0; j < node.count; ++j) sum += rate[j] * share[node.first + j];
      out[node.first_row + k] = sum;
    }
  }
}

double InteriorPoint::complementarity() {
  double sum = e_.slack * e_.dual;
  const auto add = [&sum](const Pair& pair) { sum += pair.slack * pair.dual; };
  for (std::size_t i = 0; i < x_.size(); ++i)
    sum += (x_[i] - p_->lower[i]) * lower_dual_[i] + (p_->upper[i] - x_[i]) * upper_dual_[i];
  for (const auto& row : rows_) add(row);
  for (const auto& node : nodes_) add(node.balance), add(node.overload);
  for (const auto& term : latency_) add(term.above), add(term.kink);
  for (const auto& w : budget_) add(w);
  for (const auto& f : excess_) add(f);
  return sum;
}

InteriorPoint::Steps InteriorPoint::longest_step(double mu) {
  const auto& p = *p_;
  Room primal, dual;
  const auto see = [&](const Pair& pair) {
    primal.see(pair.slack, pair.step);
    dual.see(pair.dual, (mu - pair.dual * pair.step) / pair.slack - pair.dual);
  };
  for (std::size_t i = 0; i < x_.size(); ++i) {
    see({x_[i] - p.lower[i], lower_dual_[i], dx_[i]});
    see({p.upper[i] - x_[i], upper_dual_[i], -dx_[i]});
  }
  for (const auto& row : rows_) see(row);
  for (const auto& node : nodes_) see(node.balance), see(node.overload);
  for (const auto& term : latency_) see(term.above), see(term.kink);
  see(e_);
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

void InteriorPoint::advance(const Steps& by, double mu) {
  const auto& p = *p_;
  const auto dual = [&](double slack, double value, double step) {
    return value + by.dual * ((mu - value * step) / slack - value);
  };
  const auto move = [&](Pair& pair) {
    pair.dual = dual(pair.slack, pair.dual, pair.step);
    pair.slack += by.primal * pair.step;
  };
  for (std::size_t i = 0; i < x_.size(); ++i) {
    lower_dual_[i] = dual(x_[i] - p.lower[i], lower_dual_[i], dx_[i]);
    upper_dual_[i] = dual(p.upper[i] - x_[i], upper_dual_[i], -dx_[i]);
    x_[i] += by.primal * dx_[i];
  }
  for (auto& row : rows_) move(row);
  for (auto& node : nodes_) {
    move(node.balance), move(node.overload);
    node.r += by.primal * node.dr;
  }
  for (auto& term : latency_) {
    term.s += by.primal * term.kink.step;
    move(term.above), move(term.kink);
  }
  move(e_);
  t_ += by.primal * dt_;
  for (std::size_t s = 0; s < price_.size(); ++s) {
    price_[s] += by.dual * right_[s];
    if (budget_row_[s] == kNone) continue;
    const double step = by.dual * right_[budget_row_[s]];
    budget_[s].slack += by.primal * budget_[s].step;
    excess_[s].slack += by.primal * excess_[s].step;
    budget_[s].dual += step;
    excess_[s].dual -= step;
  }
}

}  // namespace penstock::load
