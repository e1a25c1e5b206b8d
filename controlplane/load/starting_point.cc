// Where InteriorPoint begins: shares inside of their limits, slacks above zero, multipliers that fit
// together.
#include <algorithm>
#include <cmath>
#include <limits>

#include "controlplane/load/interior_point.h"

namespace penstock::load {

namespace {

constexpr int kRounds = 3;  // an iteration costs more
constexpr double kInfinite = std::numeric_limits<double>::infinity();

}  // namespace

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
  u_.resize(u + 4);  // room for whole vectors at the end
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
    return std::clamp(by * slope_[i], least, most);
  };
  slope_.resize(x_.size());
  for (std::size_t i = 0; i < x_.size(); ++i) slope_[i] = p.equal_share[p.placement_of[i]];
  for (int round = 0;; ++round) {
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
    if (round == kRounds) break;
    // Each service by itself knows nothing of the others on its nodes: less of what turned out to be much.
    loads(level_, x_);
    for (const auto& node : p.nodes) {
      double r = 1e-6;
      for (std::size_t k = node.first_row; k < node.first_row + node.rows; ++k) r = std::max(r, level_[k]);
      for (std::size_t i = node.first; i < node.first + node.count; ++i) slope_[i] /= r;
    }
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

}  // namespace penstock::load
