// Newton's system of InteriorPoint: nodes are eliminated one by one, what is left couples services.
#include <algorithm>
#include <array>
#include <cmath>

#include "controlplane/load/dense_factor.h"
#include "controlplane/load/interior_point.h"

namespace penstock::load {

namespace {

// A dimension whose weight moves the node's block by less than this, relative, is left out of it: the
// direction is then a little off Newton's, shares and multipliers stay what they are.
constexpr double kMatters = 1e-3;

}  // namespace

bool InteriorPoint::newton(double mu) {
  const auto& p = *p_;
  const std::size_t services = price_.size(), t = order_ - 2, e = order_ - 1;
  system_.assign(order_ * order_, 0);
  right_.assign(order_, 0);
  right_[t] = -p.balance;
  right_[e] = mu / e_.slack - p.penalty;
  system_[e * order_ + e] = e_.weight();
  shares_gradient(mu);
  for (std::size_t n = 0; n < nodes_.size(); ++n) {
    node_block(n, mu);
    scatter(n);
  }
  for (std::size_t s = 0; s < services; ++s) {
    double& diagonal = system_[s * order_ + s];
    if (diagonal == 0) {
      diagonal = -1;  // a service without variables
    } else {
      right_[s] -= p.remaining[s] - scratch_[s];
    }
    if (budget_row_[s] == kNone) continue;
    const std::size_t row = budget_row_[s];
    const auto &w = budget_[s], &f = excess_[s];
    system_[row * order_ + row] -= f.slack / f.dual + w.slack / w.dual;
    right_[row] -= mu / w.dual - w.slack - mu / f.dual + f.slack;
  }
  if (!factorise(system_, order_)) return false;
  solve_factorised(system_, order_, right_);
  dt_ = right_[t];
  e_.step = right_[e];
  back_substitute(mu);
  return std::isfinite(dt_) && std::isfinite(e_.step);
}

// Also leaves the services' sums in scratch_.
void InteriorPoint::shares_gradient(double mu) {
  const auto& p = *p_;
  const std::size_t size = x_.size();
  for (std::size_t i = 0; i < size; ++i) {
    const double low = 1 / (x_[i] - p.lower[i]), high = 1 / (p.upper[i] - x_[i]);
    inverse_d_[i] = 1 / (lower_dual_[i] * low + upper_dual_[i] * high);
    gradient_[i] = mu * (low - high) - p.cost[i];
  }
  scratch_.assign(price_.size(), 0);
  for (std::size_t i = 0; i < size; ++i) {
    const ServiceIndex s = p.service_of[i];
    gradient_[i] += price_[s];
    scratch_[s] += x_[i];
  }
  if (!budgets_) return;
  for (std::size_t i = 0; i < size; ++i) {
    const ServiceIndex s = p.service_of[i];
    if (budget_row_[s] != kNone) gradient_[i] -= budget_[s].dual * p.spending[i];
  }
}

// The block is diag(1 / inverse_d, bend) + sum over rows of weight * v v^T with v = (-rates, 1). Its inverse
// is diag(...)^-1 - U^T U; U is left in u_, `rank` rows of count + 1.
void InteriorPoint::node_block(std::size_t index, double mu) {
  const auto& p = *p_;
  const auto& node = p.nodes[index];
  auto& state = nodes_[index];
  const std::size_t m = node.count;
  double* const gradient = gradient_.data() + node.first;
  const double* const inverse_d = inverse_d_.data() + node.first;
  state.bend = 2 * node.quadratic + state.balance.weight() + state.overload.weight();
  const double to_t = mu / state.balance.slack, to_e = mu / state.overload.slack;
  right_[order_ - 2] += to_t;
  right_[order_ - 1] += to_e;
  double g = -2 * node.quadratic * state.r - to_t - to_e;
  for (std::uint32_t l = node.first_latency; l < node.first_latency + node.latencies; ++l) {
    auto& term = latency_[l];
    const auto at = p.latency_at(node, p.latency[l], term.s);
    const double above = term.above.weight(), to_above = mu / term.above.slack;
    term.bend = at.bend + above + term.kink.weight();
    const double force = to_above + mu / term.kink.slack - at.slope;
    state.bend += above * (term.bend - above) / term.bend;
    g -= to_above - above * force / term.bend;
    term.kink.step = force / term.bend;  // and above / bend * dr
  }
  std::array<const double*, kDimensions> active{};
  std::array<double, kDimensions * kDimensions> middle{};
  std::size_t rank = 0;
  const double* rate = p.rates.data() + node.first_rate;
  double* const u = u_.data() + state.first_u;
  for (std::size_t k = node.first_row; k < node.first_row + node.rows; ++k, rate += m) {
    const double weight = rows_[k].weight(), pull = mu / rows_[k].slack;
    double* const row = u + rank * (m + 1);
    double norm = 1 / state.bend;
    g += pull;
    for (std::size_t j = 0; j < m; ++j) {
      gradient[j] -= pull * rate[j];
      row[j] = -rate[j] * inverse_d[j];
      norm -= rate[j] * row[j];
    }
    if (weight * norm < kMatters) continue;
    row[m] = 1 / state.bend;
    middle[rank * kDimensions + rank] = 1 / weight + norm;
    for (std::size_t i = 0; i < rank; ++i) {
      double sum = row[m];
      for (std::size_t j = 0; j < m; ++j) sum -= active[i][j] * row[j];
      middle[rank * kDimensions + i] = sum;
    }
    active[rank++] = rate;
  }
  // Cholesky of the middle, applied to the rows as it goes.
  for (std::size_t a = 0; a < rank; ++a) {
    double* const row = u + a * (m + 1);
    double pivot = middle[a * kDimensions + a];
    for (std::size_t b = 0; b < a; ++b) {
      double& entry = middle[a * kDimensions + b];
      for (std::size_t c = 0; c < b; ++c) entry -= middle[a * kDimensions + c] * middle[b * kDimensions + c];
      entry /= middle[b * kDimensions + b];
      pivot -= entry * entry;
      const double* const other = u + b * (m + 1);
      for (std::size_t j = 0; j <= m; ++j) row[j] -= entry * other[j];
    }
    // Rows alike up to rounding: the second adds nothing that the first has not.
    if (!(pivot > 1e-14 * middle[a * kDimensions + a])) pivot = middle[a * kDimensions + a];
    const double root = std::sqrt(pivot);
    middle[a * kDimensions + a] = root;
    for (std::size_t j = 0; j <= m; ++j) row[j] /= root;
  }
  state.rank = static_cast<std::uint32_t>(rank);
  r_gradient_[index] = g;
}

// Subtracts C^T K^-1 C from the system and C^T K^-1 g from its right side; C has -1 at a share's service, its
// spending at its budget, and -weight of r at t and e.
void InteriorPoint::scatter(std::size_t index) {
  const auto& p = *p_;
  const auto& node = p.nodes[index];
  const auto& state = nodes_[index];
  const std::size_t m = node.count, t = order_ - 2, e = order_ - 1;
  const double q = state.balance.weight(), o = state.overload.weight();
  const double* const u = u_.data() + state.first_u;
  const double* const g = gradient_.data() + node.first;
  const double* const inverse_d = inverse_d_.data() + node.first;
  std::array<double, kDimensions> along{};  // U g
  double square = 0;                        // of U's last column
  for (std::size_t k = 0; k < state.rank; ++k) {
    const double* row = u + k * (m + 1);
    double sum = row[m] * r_gradient_[index];
    for (std::size_t j = 0; j < m; ++j) sum += row[j] * g[j];
    along[k] = sum;
    square += row[m] * row[m];
  }
  double moved = r_gradient_[index] / state.bend;
  for (std::size_t k = 0; k < state.rank; ++k) moved -= u[k * (m + 1) + m] * along[k];
  right_[t] += q * moved;
  right_[e] += o * moved;
  double *const t_row = &system_[t * order_], *const e_row = &system_[e * order_];
  t_row[t] += q * (state.bend - q) / state.bend + q * q * square;
  e_row[e] += o * (state.bend - o) / state.bend + o * o * square;
  e_row[t] += q * o * (square - 1 / state.bend);
  for (std::size_t i = 0; i < m; ++i) {
    const ServiceIndex s = p.service_of[node.first + i];
    const std::uint32_t b = budgets_ ? budget_row_[s] : kNone;
    const double spending = b == kNone ? 0 : p.spending[node.first + i];
    double step = g[i] * inverse_d[i], with_r = 0;
    for (std::size_t k = 0; k < state.rank; ++k) {
      const double* row = u + k * (m + 1);
      step -= row[i] * along[k];
      with_r += row[i] * row[m];
    }
    right_[s] += step;
    t_row[s] += q * with_r;
    e_row[s] += o * with_r;
    system_[s * order_ + s] -= inverse_d[i];
    if (b != kNone) {
      right_[b] -= spending * step;
      t_row[b] -= q * spending * with_r;
      e_row[b] -= o * spending * with_r;
      system_[b * order_ + s] += spending * inverse_d[i];
      system_[b * order_ + b] -= spending * spending * inverse_d[i];
    }
    for (std::size_t j = 0; j <= i; ++j) {
      double value = 0;
      for (std::size_t k = 0; k < state.rank; ++k) value += u[k * (m + 1) + i] * u[k * (m + 1) + j];
      const ServiceIndex other = p.service_of[node.first + j];
      // One service twice on a node: (i, j) and (j, i) meet on the system's diagonal.
      const double twice = i != j && s == other ? 2 : 1;
      system_[std::max(s, other) * order_ + std::min(s, other)] += twice * value;
      if (!budgets_) continue;
      const std::uint32_t c = budget_row_[other];
      const double spent = c == kNone ? 0 : p.spending[node.first + j];
      if (b != kNone) system_[b * order_ + other] -= spending * value;
      if (c != kNone && i != j) system_[c * order_ + s] -= spent * value;
      if (b != kNone && c != kNone)
        system_[std::max(b, c) * order_ + std::min(b, c)] += twice * spending * spent * value;
    }
  }
}

void InteriorPoint::back_substitute(double mu) {
  const auto& p = *p_;
  for (std::size_t i = 0; i < x_.size(); ++i) gradient_[i] += right_[p.service_of[i]];
  for (std::size_t i = 0; budgets_ && i < x_.size(); ++i) {
    const std::uint32_t b = budget_row_[p.service_of[i]];
    if (b != kNone) gradient_[i] -= p.spending[i] * right_[b];
  }
  for (std::size_t n = 0; n < nodes_.size(); ++n) {
    auto& state = nodes_[n];
    const auto& node = p.nodes[n];
    const std::size_t m = node.count;
    const double* const g = gradient_.data() + node.first;
    double* const dx = dx_.data() + node.first;
    const double g_r = r_gradient_[n] + state.balance.weight() * dt_ + state.overload.weight() * e_.step;
    for (std::size_t j = 0; j < m; ++j) dx[j] = g[j] * inverse_d_[node.first + j];
    state.dr = g_r / state.bend;
    for (std::size_t k = 0; k < state.rank; ++k) {
      const double* row = u_.data() + state.first_u + k * (m + 1);
      double sum = row[m] * g_r;
      for (std::size_t j = 0; j < m; ++j) sum += row[j] * g[j];
      for (std::size_t j = 0; j < m; ++j) dx[j] -= row[j] * sum;
      state.dr -= row[m] * sum;
    }
    const double* rate = p.rates.data() + node.first_rate;
    for (std::size_t k = node.first_row; k < node.first_row + node.rows; ++k, rate += m) {
      double step = state.dr;
      for (std::size_t j = 0; j < m; ++j) step -= rate[j] * dx[j];
      rows_[k].step = step;
    }
    state.balance.step = dt_ - state.dr;
    state.overload.step = e_.step - state.dr;
    for (std::uint32_t l = node.first_latency; l < node.first_latency + node.latencies; ++l) {
      auto& term = latency_[l];
      term.kink.step += term.above.weight() / term.bend * state.dr;
      term.above.step = term.kink.step - state.dr;
    }
  }
  for (std::size_t s = 0; s < price_.size(); ++s) {
    if (budget_row_[s] == kNone) continue;
    auto &w = budget_[s], &f = excess_[s];
    const double step = right_[budget_row_[s]];
    f.step = mu / f.dual - f.slack + f.slack / f.dual * step;
    w.step = mu / w.dual - w.slack - w.slack / w.dual * step;
  }
}

}  // namespace penstock::load
