#include "controlplane/load/interior_point.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace penstock::load {

namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();
constexpr double kEnough = 0.3;  // of the wanted gap

}  // namespace

void InteriorPoint::run(const Programme& programme) {
  p_ = &programme;
  value_ = kInfinite;
  bound_ = 0;
  iterations_ = 0;
  double enough = kEnough;
  start();
  evaluate();
  while (!x_.empty() && iterations_ < p_->settings.most_iterations) {
    const double sum = complementarity();
    // The sum is what value and bound differ by once the multipliers fit; until then there is nothing to
    // prove.
    const auto wanted = [&] { return std::max(p_->settings.gap * (value_ - p_->given), p_->smallest); };
    if (sum < 3 * wanted() || iterations_ % 8 == 7) evaluate();
    if (value_ - bound_ <= wanted()) break;
    if (sum <= 1.5 * enough * wanted()) enough *= 0.1;
    aim(0, 0);
    if (!factor() || !direction()) break;
    const double share = centring(sum), pairs = static_cast<double>(pairs_);
    // Below a part of what is wanted the sum mostly has nothing more to give, and slacks vanish before the
    // multipliers fit. Where it is there and the bound is not, it goes on.
    aim(std::max(share * sum, enough * wanted()) / pairs, predicted_.primal * predicted_.dual);
    if (!direction()) break;
    const Steps step = longest_step();
    if (!(std::max(step.primal, step.dual) > 1e-10)) break;
    advance(step);
    ++iterations_;
  }
  evaluate();
  if (x_.empty()) bound_ = value_;  // one point is all there is
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
