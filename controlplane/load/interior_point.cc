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
  while (!x_.empty() && iterations_ < p_->settings.most_iterations) {
    const double sum = complementarity();
    // The sum is what value and bound differ by once the multipliers fit; until then there is nothing to
    // prove.
    const auto wanted = [&] { return std::max(p_->settings.gap * (value_ - p_->given), p_->smallest); };
    if (sum < 3 * wanted() || iterations_ % 8 == 7) evaluate();
    if (value_ - bound_ <= wanted()) break;
    aim(0, 0);
    if (!factor() || !direction()) break;
    const double share = centring(sum), pairs = static_cast<double>(pairs_);
    // Below a part of what is wanted the sum has nothing more to give, and slacks vanish before the
    // multipliers fit.
    aim(std::max(share * sum, kEnough * wanted()) / pairs, predicted_.primal * predicted_.dual);
    if (!direction()) break;
    const Steps step = longest_step();
    if (!(std::max(step.primal, step.dual) > 1e-10)) break;
    advance(step);
    ++iterations_;
  }
  evaluate();
  if (x_.empty()) bound_ = value_;  // one point is all there is
}

void InteriorPoint::start() {
  const auto& p = *p_;
  start_shares();
  best_ = x_;
  rows_.assign(p.base.size(), {});
  nodes_.assign(p.nodes.size(), {});
  latency_.assign(p.latency.size(), {});
  r_gradient_.resize(nodes_.size());
  loads(level_, x_);
  double scale = 1e-6;
  std::uint32_t u = 0, triangle = 0;
  for (std::size_t n = 0; n < nodes_.size(); ++n) {
    const auto& node = p.nodes[n];
    for (std::size_t k = node.first_row; k < node.first_row + node.rows; ++k)
      nodes_[n].r = std::max(nodes_[n].r, level_[k]);
    scale = std::max(scale, nodes_[n].r);
    nodes_[n].first_u = u;
    nodes_[n].first_triangle = triangle;
    triangle += node.rows * (node.rows + 1) / 2;
    u += node.rows * (node.count + 1);
  }
  u_.resize(u);
  triangle_.resize(triangle);
  scale *= 0.1;
  t_ = 0;
  double overload = 0;
  for (std::size_t n = 0; n < nodes_.size(); ++n) {
    const auto& node = p.nodes[n];
    double& r = nodes_[n].r;
    // Costs near full utilisation are steep: a start there would begin with multipliers far beyond the
    // solution's.
    const auto beside = [&](double at) {
      const double room = LatencyCurve::kMostRho / node.capacity - at;
      return node.latencies == 0 ? scale : std::min(scale, room > 0 ? 0.2 * room : 0.05 * scale);
    };
    r += beside(r);
    t_ = std::max(t_, r + scale);
    overload = std::max(overload, r - node.limit);
    for (std::size_t k = node.first_row; k < node.first_row + node.rows; ++k) rows_[k].slack = r - level_[k];
    for (std::uint32_t l = node.first_latency; l < node.first_latency + node.latencies; ++l) {
      auto& term = latency_[l];
      term.s = std::max(r, p.latency[l].kink);
      term.s += beside(term.s);
      term.above.slack = term.s - r;
      term.kink.slack = term.s - p.latency[l].kink;
    }
  }
  // Where all is within capacity e starts where its product is one of many: at the penalty's multiplier any
  // more would outweigh all else, and take the first steps to get rid of.
  double room = kInfinite;
  for (std::size_t n = 0; n < nodes_.size(); ++n) room = std::min(room, p.nodes[n].limit - nodes_[n].r);
  e_.slack = room > 0 ? scale * p.balance / p.penalty : overload + scale;
  for (std::size_t n = 0; n < nodes_.size(); ++n) {
    nodes_[n].balance.slack = t_ - nodes_[n].r;
    nodes_[n].overload.slack = e_.slack + p.nodes[n].limit - nodes_[n].r;
  }
  start_duals(overload > 0 ? 0.5 : 0);
}

// Shares at equal utilisation where limits allow, a little inside of the limits.
void InteriorPoint::start_shares() {
  const auto& p = *p_;
  const std::size_t services = p.remaining.size();
  x_.resize(p.placement_of.size());
  scratch_.assign(3 * services, 0);
  double *const low = scratch_.data(), *const high = low + services, *const factor = high + services;
  for (std::size_t i = 0; i < x_.size(); ++i) {
    low[p.service_of[i]] += p.lower[i];
    high[p.service_of[i]] += p.upper[i];
  }
  for (std::size_t s = 0; s < services; ++s) factor[s] = (p.remaining[s] - low[s]) / (high[s] - low[s]);
  // Even use of the limits' room gives one such point, equal utilisation cut at a part of that another.
  const auto cut = [&](std::size_t i, double by) {
    const double fill = factor[p.service_of[i]], room = p.upper[i] - p.lower[i];
    const double least = p.lower[i] + 0.1 * fill * room, most = p.upper[i] - 0.1 * (1 - fill) * room;
    return std::clamp(by * p.equal_share[p.placement_of[i]], least, most);
  };
  sums_.assign(services, 0);
  scale_.assign(services, 1);
  for (int pass = 0; pass < 4; ++pass) {
    std::fill(sums_.begin(), sums_.end(), 0.0);
    for (std::size_t i = 0; i < x_.size(); ++i) {
      x_[i] = cut(i, scale_[p.service_of[i]]);
      sums_[p.service_of[i]] += x_[i];
    }
    for (std::size_t s = 0; s < services; ++s)
      if (sums_[s] > 0) scale_[s] *= p.remaining[s] / sums_[s];
  }
  // What is missing comes from the even point's side of the room.
  for (std::size_t s = 0; s < services; ++s) {
    const double missing = p.remaining[s] - sums_[s];
    scale_[s] = missing > 0 ? missing / (high[s] - sums_[s]) : missing / (sums_[s] - low[s]);
  }
  for (std::size_t i = 0; i < x_.size(); ++i) {
    const double by = scale_[p.service_of[i]];
    x_[i] += by * (by > 0 ? p.upper[i] - x_[i] : x_[i] - p.lower[i]);
  }
}

// Multipliers that fit together: those of t sum to the balance, a node's rows carry what pulls at its r, and
// a share's limits carry what its slope differs from its service's mean. Within a sum each product is the
// same.
void InteriorPoint::start_duals(double overloaded) {
  const auto& p = *p_;
  const std::size_t services = p.remaining.size();
  budget_row_.assign(services, kNone);
  price_.assign(services, 0);
  budget_.assign(services, {});
  excess_.assign(services, {});
  order_ = services;
  pairs_ = 2 * x_.size() + rows_.size() + 2 * nodes_.size() + 2 * latency_.size() + 1;
  double balance = 0, overload = 0;
  for (const auto& node : nodes_) balance += 1 / node.balance.slack, overload += 1 / node.overload.slack;
  const double mu = p.balance / balance;
  const double push =
      overloaded > 0 ? overloaded * p.penalty / overload : std::min(mu, 0.5 * p.penalty / overload);
  e_.dual = p.penalty - push * overload;
  slope_ = p.cost;
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
  for (std::size_t n = 0; n < nodes_.size(); ++n) {
    const auto& node = p.nodes[n];
    auto& state = nodes_[n];
    state.balance.dual = mu / state.balance.slack;
    state.overload.dual = push / state.overload.slack;
    double pulls = 2 * node.quadratic * state.r + state.balance.dual + state.overload.dual, rows = 0;
    for (std::uint32_t l = node.first_latency; l < node.first_latency + node.latencies; ++l) {
      auto& term = latency_[l];
      const double slope = p.latency_at(node, p.latency[l], term.s).slope;
      const double each = slope / (1 / term.above.slack + 1 / term.kink.slack);
      term.above.dual = each / term.above.slack;
      term.kink.dual = each / term.kink.slack;
      pulls += term.above.dual;
    }
    for (std::size_t k = node.first_row; k < node.first_row + node.rows; ++k) rows += 1 / rows_[k].slack;
    const double* rate = p.rates.data() + node.first_rate;
    for (std::size_t k = node.first_row; k < node.first_row + node.rows; ++k, rate += node.count) {
      rows_[k].dual = pulls / rows / rows_[k].slack;
      for (std::size_t j = 0; j < node.count; ++j) slope_[node.first + j] += rows_[k].dual * rate[j];
    }
  }
  dx_.resize(x_.size()), inverse_d_.resize(x_.size()), gradient_.resize(x_.size());
  lower_dual_.resize(x_.size()), upper_dual_.resize(x_.size());
  lower_target_.resize(x_.size()), upper_target_.resize(x_.size());
  for (std::size_t i = 0; i < x_.size(); ++i) {
    const ServiceIndex s = p.service_of[i];
    if (budget_row_[s] != kNone) slope_[i] += budget_[s].dual * p.spending[i];
    price_[s] += slope_[i] * x_[i] / p.remaining[s];
  }
  for (std::size_t i = 0; i < x_.size(); ++i) {
    const double over = slope_[i] - price_[p.service_of[i]];
    lower_dual_[i] = std::max(0.0, over) + mu / (x_[i] - p.lower[i]);
    upper_dual_[i] = std::max(0.0, -over) + mu / (p.upper[i] - x_[i]);
  }
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

// Everything but the limits of shares and the budgets.
template <class Visit>
void InteriorPoint::each_pair(Visit&& visit) {
  for (auto& row : rows_) visit(row);
  for (auto& node : nodes_) visit(node.balance), visit(node.overload);
  for (auto& term : latency_) visit(term.above), visit(term.kink);
  visit(e_);
}

double InteriorPoint::complementarity() {
  double sum = 0;
  for (std::size_t i = 0; i < x_.size(); ++i)
    sum += (x_[i] - p_->lower[i]) * lower_dual_[i] + (p_->upper[i] - x_[i]) * upper_dual_[i];
  each_pair([&sum](const Pair& pair) { sum += pair.slack * pair.dual; });
  for (const auto& w : budget_) sum += w.slack * w.dual;
  for (const auto& f : excess_) sum += f.slack * f.dual;
  return sum;
}

// After the predictor: Mehrotra's part of the sum to aim at, the cube of what the predictor would leave of
// it.
double InteriorPoint::centring(double sum) {
  const Steps by = predicted_ = longest_step();
  double left = 0;
  const auto add = [&](double slack, double step, double dual, double dual_step) {
    left += (slack + by.primal * step) * (dual + by.dual * dual_step);
  };
  for (std::size_t i = 0; i < x_.size(); ++i) {
    const double low = x_[i] - p_->lower[i], high = p_->upper[i] - x_[i];
    add(low, dx_[i], lower_dual_[i], -lower_dual_[i] * dx_[i] / low - lower_dual_[i]);
    add(high, -dx_[i], upper_dual_[i], upper_dual_[i] * dx_[i] / high - upper_dual_[i]);
  }
  each_pair([&](const Pair& pair) { add(pair.slack, pair.step, pair.dual, pair.dual_step()); });
  for (std::size_t s = 0; s < price_.size(); ++s) {
    if (budget_row_[s] == kNone) continue;
    const double step = right_[budget_row_[s]];
    add(budget_[s].slack, budget_[s].step, budget_[s].dual, step);
    add(excess_[s].slack, excess_[s].step, excess_[s].dual, -step);
  }
  const double part = std::max(0.0, left / sum);
  return std::clamp(part * part * part, 1e-3, 0.8);
}

// Targets of the next direction: mu, less `corrected` of the last direction's products.
void InteriorPoint::aim(double mu, double corrected) {
  if (corrected <= 0) {
    std::fill(lower_target_.begin(), lower_target_.end(), mu);
    std::fill(upper_target_.begin(), upper_target_.end(), mu);
    each_pair([mu](Pair& pair) { pair.target = mu; });
    for (auto& w : budget_) w.target = mu;
    for (auto& f : excess_) f.target = mu;
    return;
  }
  for (std::size_t i = 0; i < x_.size(); ++i) {
    const double dx = dx_[i];
    lower_target_[i] = mu + corrected * dx * lower_dual_[i] * (dx / (x_[i] - p_->lower[i]) + 1);
    upper_target_[i] = mu + corrected * dx * upper_dual_[i] * (dx / (p_->upper[i] - x_[i]) - 1);
  }
  each_pair([&](Pair& pair) { pair.target = mu - corrected * pair.step * pair.dual_step(); });
  for (std::size_t s = 0; s < price_.size(); ++s) {
    if (budget_row_[s] == kNone) continue;
    const double step = right_[budget_row_[s]];
    budget_[s].target = mu - corrected * budget_[s].step * step;
    excess_[s].target = mu + corrected * excess_[s].step * step;
  }
}

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

void InteriorPoint::advance(const Steps& by) {
  const auto& p = *p_;
  for (std::size_t i = 0; i < x_.size(); ++i) {
    const Pair low{x_[i] - p.lower[i], lower_dual_[i], dx_[i], lower_target_[i]};
    const Pair high{p.upper[i] - x_[i], upper_dual_[i], -dx_[i], upper_target_[i]};
    lower_dual_[i] += by.dual * low.dual_step();
    upper_dual_[i] += by.dual * high.dual_step();
    x_[i] += by.primal * dx_[i];
  }
  for (auto& node : nodes_) node.r += by.primal * node.dr;
  for (auto& term : latency_) term.s += by.primal * term.kink.step;
  each_pair([&](Pair& pair) {
    pair.dual += by.dual * pair.dual_step();
    pair.slack += by.primal * pair.step;
  });
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
