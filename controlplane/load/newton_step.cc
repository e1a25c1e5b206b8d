// Newton's system of InteriorPoint: nodes are eliminated one by one, what is left couples services.
#include <algorithm>
#include <array>
#include <cmath>

#include "controlplane/load/dense_factor.h"
#include "controlplane/load/interior_point.h"
#include "controlplane/load/vector_loops.h"

namespace penstock::load {

namespace {

// A dimension whose weight moves the node's block by less than this, relative, is left out of it: the
// direction is then a little off Newton's, shares and multipliers stay what they are.
constexpr double kMatters = 1e-3;

}  // namespace

bool InteriorPoint::factor() {
  const auto& p = *p_;
  const std::size_t t = order_ - 2, e = order_ - 1;
  for (std::size_t i = 0; i < x_.size(); ++i) {
    const double low = x_[i] - p.lower[i], high = p.upper[i] - x_[i];
    inverse_d_[i] = low * high / (lower_dual_[i] * high + upper_dual_[i] * low);
  }
  system_.assign(order_ * order_, 0);
  system_[e * order_ + e] = e_.weight();
  for (std::size_t n = 0; n < nodes_.size(); ++n) {
    factor_node(n);
    scatter(n);
  }
  for (std::size_t s = 0; s < price_.size(); ++s) {
    double& diagonal = system_[s * order_ + s];
    if (diagonal == 0) diagonal = -1;  // a service without variables
    if (budget_row_[s] == kNone) continue;
    const auto &w = budget_[s], &f = excess_[s];
    system_[budget_row_[s] * (order_ + 1)] -= f.slack / f.dual + w.slack / w.dual;
  }
  return std::isfinite(system_[t * order_ + t]) && factorise(system_, order_);
}

// Newton's direction towards the targets, with the factor at hand.
bool InteriorPoint::direction() {
  const auto& p = *p_;
  const std::size_t t = order_ - 2, e = order_ - 1;
  right_.assign(order_, 0);
  right_[t] = -p.balance;
  right_[e] = e_.pull() - p.penalty;
  gradient_of_shares();
  for (std::size_t n = 0; n < nodes_.size(); ++n) node_gradient(n);
  for (std::size_t s = 0; s < price_.size(); ++s) {
    if (scratch_[s] > 0) right_[s] -= p.remaining[s] - scratch_[s];
    if (budget_row_[s] == kNone) continue;
    const auto &w = budget_[s], &f = excess_[s];
    right_[budget_row_[s]] -= w.target / w.dual - w.slack - f.target / f.dual + f.slack;
  }
  solve_factorised(system_, order_, right_);
  dt_ = right_[t];
  e_.step = right_[e];
  back_substitute();
  return std::isfinite(dt_) && std::isfinite(e_.step);
}

// Also leaves the services' sums in scratch_.
PENSTOCK_WIDE void InteriorPoint::gradient_of_shares() {
  const auto& p = *p_;
  for (std::size_t i = 0; i < x_.size(); ++i)
    gradient_[i] =
        lower_target_[i] / (x_[i] - p.lower[i]) - upper_target_[i] / (p.upper[i] - x_[i]) - p.cost[i];
  scratch_.assign(price_.size(), 0);
  for (std::size_t i = 0; i < x_.size(); ++i) {
    const ServiceIndex s = p.service_of[i];
    gradient_[i] += price_[s];
    scratch_[s] += x_[i];
  }
  if (!budgets_) return;
  for (std::size_t i = 0; i < x_.size(); ++i) {
    const ServiceIndex s = p.service_of[i];
    if (budget_row_[s] != kNone) gradient_[i] -= budget_[s].dual * p.spending[i];
  }
}

// The block is diag(1 / inverse_d, bend) + sum over rows of weight * v v^T with v = (-rates, 1). Its inverse
// is diag(...)^-1 - U^T U; U is left in u_, `rank` rows of count + 1, and the triangle L of the Cholesky
// factor that made it in triangle_: a row's multiplier is read from there (back_substitute).
PENSTOCK_WIDE void InteriorPoint::factor_node(std::size_t index) {
  const auto& p = *p_;
  const auto& node = p.nodes[index];
  auto& state = nodes_[index];
  const std::size_t m = node.count;
  const double* const inverse_d = inverse_d_.data() + node.first;
  state.soft = 2 * node.quadratic;
  for (std::uint32_t l = node.first_latency; l < node.first_latency + node.latencies; ++l) {
    auto& term = latency_[l];
    const double above = term.above.weight();
    term.soft = p.latency_at(node, p.latency[l], term.s).bend + term.kink.weight();
    term.bend = term.soft + above;
    state.soft += above * term.soft / term.bend;
  }
  state.bend = state.soft + state.balance.weight() + state.overload.weight();
  std::array<const double*, kDimensions> active{};
  double* const middle = triangle_.data() + state.first_triangle;
  const auto triangle = [](std::size_t a) { return a * (a + 1) / 2; };
  std::size_t rank = 0;
  const double* rate = p.rates.data() + node.first_rate;
  double* const u = u_.data() + state.first_u;
  for (std::size_t k = node.first_row; k < node.first_row + node.rows; ++k, rate += m) {
    const double weight = rows_[k].weight();
    double* const row = u + rank * (m + 1);
    for (std::size_t j = 0; j < m; ++j) row[j] = -rate[j] * inverse_d[j];
    const double norm = 1 / state.bend - dot(rate, row, m);
    if (weight * norm < kMatters) continue;
    row[m] = 1 / state.bend;
    middle[triangle(rank) + rank] = 1 / weight + norm;
    for (std::size_t i = 0; i < rank; ++i) {
      middle[triangle(rank) + i] = row[m] - dot(active[i], row, m);
    }
    state.active[rank] = static_cast<std::uint8_t>(k - node.first_row);
    active[rank++] = rate;
  }
  // Cholesky of the middle, applied to the rows as it goes.
  for (std::size_t a = 0; a < rank; ++a) {
    double* const row = u + a * (m + 1);
    double pivot = middle[triangle(a) + a];
    for (std::size_t b = 0; b < a; ++b) {
      double& entry = middle[triangle(a) + b];
      for (std::size_t c = 0; c < b; ++c) entry -= middle[triangle(a) + c] * middle[triangle(b) + c];
      entry /= middle[triangle(b) + b];
      pivot -= entry * entry;
      const double* const other = u + b * (m + 1);
      add_scaled(row, -entry, other, m + 1);
    }
    // Rows alike up to rounding: the second adds nothing that the first has not.
    if (!(pivot > 1e-14 * middle[triangle(a) + a])) pivot = middle[triangle(a) + a];
    const double root = std::sqrt(pivot);
    middle[triangle(a) + a] = root;
    for (std::size_t j = 0; j <= m; ++j) row[j] *= 1 / root;
  }
  state.rank = static_cast<std::uint32_t>(rank);
}

// Subtracts C^T K^-1 C from the system; C has -1 at a share's service, its spending at its budget, and
// -weight of r at t and e.
PENSTOCK_WIDE void InteriorPoint::scatter(std::size_t index) {
  const auto& p = *p_;
  const auto& node = p.nodes[index];
  const auto& state = nodes_[index];
  const std::size_t m = node.count, t = order_ - 2, e = order_ - 1;
  const double q = state.balance.weight(), o = state.overload.weight();
  const double* const u = u_.data() + state.first_u;
  const double* const inverse_d = inverse_d_.data() + node.first;
  const ServiceIndex* const services = p.service_of.data() + node.first;
  product_.resize(std::max(product_.size(), m + 4));
  double* const product = product_.data();
  double square = 0;  // of U's last column
  for (std::size_t k = 0; k < state.rank; ++k) square += u[k * (m + 1) + m] * u[k * (m + 1) + m];
  double *const t_row = &system_[t * order_], *const e_row = &system_[e * order_];
  t_row[t] += q * (state.soft + o) / state.bend + q * q * square;
  e_row[e] += o * (state.soft + q) / state.bend + o * o * square;
  e_row[t] += q * o * (square - 1 / state.bend);
  for (std::size_t i = 0; i < m; ++i) {
    const ServiceIndex s = services[i];
    const std::uint32_t b = budgets_ ? budget_row_[s] : kNone;
    const double spending = b == kNone ? 0 : p.spending[node.first + i];
    double with_r = 0;
    for (std::size_t k = 0; k < state.rank; ++k) {
      const double* row = u + k * (m + 1);
      with_r += row[i] * row[m];
    }
    t_row[s] += q * with_r;
    e_row[s] += o * with_r;
    system_[s * order_ + s] -= inverse_d[i];
    if (b != kNone) {
      t_row[b] -= q * spending * with_r;
      e_row[b] -= o * spending * with_r;
      system_[b * order_ + s] += spending * inverse_d[i];
      system_[b * order_ + b] -= spending * spending * inverse_d[i];
    }
    combine(product, u, m + 1, state.rank, i);
    if (!budgets_) {
      double* const row = &system_[s * order_];
      for (std::size_t j = 0; j <= i; ++j) {
        const ServiceIndex other = services[j];
        if (other < s)
          row[other] += product[j];
        else
          system_[other * order_ + s] += other == s && i != j ? 2 * product[j] : product[j];
      }
      continue;
    }
    for (std::size_t j = 0; j <= i; ++j) {
      const double value = product[j];
      const ServiceIndex other = services[j];
      // One service twice on a node: (i, j) and (j, i) meet on the system's diagonal.
      const double twice = i != j && s == other ? 2 : 1;
      system_[std::max(s, other) * order_ + std::min(s, other)] += twice * value;
      const std::uint32_t c = budget_row_[other];
      const double spent = c == kNone ? 0 : p.spending[node.first + j];
      if (b != kNone) system_[b * order_ + other] -= spending * value;
      if (c != kNone && i != j) system_[c * order_ + s] -= spent * value;
      if (b != kNone && c != kNone)
        system_[std::max(b, c) * order_ + std::min(b, c)] += twice * spending * spent * value;
    }
  }
}

// The node's part of the gradient, and what eliminating it leaves on the right side.
PENSTOCK_WIDE void InteriorPoint::node_gradient(std::size_t index) {
  const auto& p = *p_;
  const auto& node = p.nodes[index];
  const auto& state = nodes_[index];
  const std::size_t m = node.count;
  double* const gradient = gradient_.data() + node.first;
  double g = -2 * node.quadratic * state.r - state.balance.pull() - state.overload.pull();
  for (std::uint32_t l = node.first_latency; l < node.first_latency + node.latencies; ++l) {
    auto& term = latency_[l];
    const double force =
        term.above.pull() + term.kink.pull() - p.latency_at(node, p.latency[l], term.s).slope;
    g -= term.above.pull() - term.above.weight() * force / term.bend;
    term.kink.step = force / term.bend;  // and above / bend * dr
  }
  const double* rate = p.rates.data() + node.first_rate;
  for (std::size_t k = node.first_row; k < node.first_row + node.rows; ++k, rate += m) {
    const double pull = rows_[k].pull();
    g += pull;
    add_scaled(gradient, -pull, rate, m);
  }
  r_gradient_[index] = g;
  double moved = g / state.bend;
  double* const dx = dx_.data() + node.first;
  for (std::size_t j = 0; j < m; ++j) dx[j] = gradient[j] * inverse_d_[node.first + j];
  for (std::size_t k = 0; k < state.rank; ++k) {
    const double* row = u_.data() + state.first_u + k * (m + 1);
    const double along = row[m] * g + dot(row, gradient, m);
    add_scaled(dx, -along, row, m);
    moved -= row[m] * along;
  }
  right_[order_ - 2] += state.balance.weight() * moved + state.balance.pull();
  right_[order_ - 1] += state.overload.weight() * moved + state.overload.pull();
  for (std::size_t j = 0; j < m; ++j) {
    const ServiceIndex s = p.service_of[node.first + j];
    right_[s] += dx[j];
    if (budgets_ && budget_row_[s] != kNone) right_[budget_row_[s]] -= p.spending[node.first + j] * dx[j];
  }
}

PENSTOCK_WIDE void InteriorPoint::back_substitute() {
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
    const double q = state.balance.weight(), o = state.overload.weight();
    const double g_r = r_gradient_[n] + q * dt_ + o * e_.step;
    for (std::size_t j = 0; j < m; ++j) dx[j] = g[j] * inverse_d_[node.first + j];
    state.dr = g_r / state.bend;
    std::array<double, kDimensions> along{};
    for (std::size_t k = 0; k < state.rank; ++k) {
      const double* row = u_.data() + state.first_u + k * (m + 1);
      const double sum = row[m] * g_r + dot(row, g, m);
      add_scaled(dx, -sum, row, m);
      state.dr -= row[m] * sum;
      along[k] = sum;
    }
    const double* rate = p.rates.data() + node.first_rate;
    for (std::size_t k = node.first_row; k < node.first_row + node.rows; ++k, rate += m) {
      rows_[k].step = state.dr - dot(rate, dx, m);
    }
    // A slack near its limit has a step far below those that it is the difference of: it would be all
    // rounding, and its multiplier's step that times a weight without bound. The factor has it without a
    // difference.
    double pulled = r_gradient_[n];
    const double* const middle = triangle_.data() + state.first_triangle;
    for (std::size_t a = state.rank; a-- > 0;) {
      along[a] /= middle[a * (a + 1) / 2 + a];
      for (std::size_t b = 0; b < a; ++b) along[b] -= middle[a * (a + 1) / 2 + b] * along[a];
      auto& row = rows_[node.first_row + state.active[a]];
      row.step = along[a] / row.weight();
      pulled -= along[a];
    }
    state.balance.step = (state.soft * dt_ + o * (dt_ - e_.step) - pulled) / state.bend;
    state.overload.step = (state.soft * e_.step + q * (e_.step - dt_) - pulled) / state.bend;
    for (std::uint32_t l = node.first_latency; l < node.first_latency + node.latencies; ++l) {
      auto& term = latency_[l];
      term.above.step = term.kink.step - term.soft / term.bend * state.dr;
      term.kink.step += term.above.weight() / term.bend * state.dr;
    }
  }
  for (std::size_t s = 0; s < price_.size(); ++s) {
    if (budget_row_[s] == kNone) continue;
    auto &w = budget_[s], &f = excess_[s];
    const double step = right_[budget_row_[s]];
    f.step = f.target / f.dual - f.slack + f.slack / f.dual * step;
    w.step = w.target / w.dual - w.slack - w.slack / w.dual * step;
  }
}

}  // namespace penstock::load
