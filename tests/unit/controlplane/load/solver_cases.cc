#include "tests/unit/controlplane/load/solver_cases.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace penstock::load::test {

namespace {

constexpr double kPenalty = 1000, kSpread = 0.01;  // SolverSettings

double money_of(const SolverNode& n) { return n.price_per_hour + n.price_per_load_hour; }
double watts_of(const SolverNode& n) { return n.idle_watts + n.busy_watts; }

double seconds_at(const LatencyCurve& curve, double rho) {
  const double cut = std::min(rho, LatencyCurve::kMostRho), left = 1 - cut;
  return curve.base + curve.queue * cut / left + curve.queue / (left * left) * (rho - cut);
}

}  // namespace

double most_of(const SolverInput& in, PlacementIndex p) {
  return in.nodes[in.placements[p].node].awake ? std::min(1.0, in.placements[p].upper) : 0;
}

Reference::Reference(const SolverInput& in) : in_(in) {
  const std::size_t placements = in.placements.size();
  upper_.resize(placements), equal_.resize(placements), use_.resize(placements), cost_.resize(placements);
  for (const auto& s : in.services) {
    double most = 0, sum = 0;
    for (auto p = s.first; p < s.first + s.count; ++p) {
      const auto& at = in.placements[p];
      upper_[p] = most_of(in, p);
      for (std::size_t k = 0; k < kDimensions; ++k)
        use_[p] = std::max(use_[p], s.demand * at.per_flow_rate[k] / in.nodes[at.node].capacity[k]);
      if (upper_[p] > 0) most = std::max(most, use_[p]);
    }
    for (auto p = s.first; p < s.first + s.count; ++p)
      if (upper_[p] > 0) sum += equal_[p] = most > 0 ? 1 / std::max(use_[p], 1e-6 * most) : 1;
    for (auto p = s.first; p < s.first + s.count; ++p) equal_[p] /= sum;
    balance_ += s.objective.balance;
    largest_ = std::max(largest_, s.objective.latency * s.priority);
  }
  price();
  largest_ = std::max(largest_, balance_);
  balance_ = std::max(balance_, 1e-3 * std::max(largest_, 1e-3));
  penalty_ = kPenalty * std::max(largest_, 1e-3);
}

void Reference::price() {
  for (const auto& s : in_.services) {
    double money = 0, watts = 0;
    for (auto p = s.first; p < s.first + s.count; ++p) {
      const auto& n = in_.nodes[in_.placements[p].node];
      money += equal_[p] * use_[p] * money_of(n);
      watts += equal_[p] * use_[p] * watts_of(n);
    }
    for (auto p = s.first; p < s.first + s.count; ++p) {
      if (upper_[p] <= 0) continue;
      const auto& n = in_.nodes[in_.placements[p].node];
      cost_[p] = in_.placements[p].affinity;
      if (money > 0) cost_[p] += s.objective.money * use_[p] * money_of(n) / money;
      if (watts > 0) cost_[p] += s.objective.energy * use_[p] * watts_of(n) / watts;
      largest_ = std::max(largest_, cost_[p]);
    }
  }
}

double Reference::operator()(const std::vector<double>& x) const {
  std::vector<PerDimension> use;
  for (const auto& n : in_.nodes) use.push_back(n.background);
  std::vector<bool> counts(use.size());
  double value = 0, t = 0, e = 0;
  for (const auto& s : in_.services) {
    double spent = 0;
    for (auto p = s.first; p < s.first + s.count; ++p) {
      const auto& at = in_.placements[p];
      for (std::size_t k = 0; k < kDimensions; ++k) use[at.node][k] += s.demand * at.per_flow_rate[k] * x[p];
      counts[at.node] = counts[at.node] || upper_[p] > 0;
      value += cost_[p] * x[p];
      spent += use_[p] * money_of(in_.nodes[at.node]) * x[p];
    }
    if (s.budget_per_hour > 0) value += penalty_ * std::max(0.0, spent / s.budget_per_hour - 1);
  }
  std::vector<double> level(use.size());
  for (NodeIndex n = 0; n < use.size(); ++n) {
    if (!counts[n]) continue;
    double background = 0;
    for (std::size_t k = 0; k < kDimensions; ++k) {
      level[n] = std::max(level[n], use[n][k] / in_.nodes[n].capacity[k]);
      background = std::max(background, in_.nodes[n].background[k] / in_.nodes[n].capacity[k]);
    }
    t = std::max(t, level[n]);
    e = std::max(e, level[n] - std::max(1.0, background));
  }
  for (const auto& s : in_.services) {
    for (auto p = s.first; p < s.first + s.count; ++p) {
      const auto& n = in_.nodes[in_.placements[p].node];
      const double r = level[in_.placements[p].node];
      value += kSpread * s.objective.balance * equal_[p] * r * r;
      if (s.latency_objective <= 0) continue;
      const double seconds =
          seconds_at(n.latency, r * *std::max_element(n.capacity.begin(), n.capacity.end()));
      value +=
          s.objective.latency * s.priority * equal_[p] * std::max(0.0, seconds / s.latency_objective - 1);
    }
  }
  return value + balance_ * t + penalty_ * e;
}

double uniform(std::mt19937_64& random, double low, double high) {
  return std::uniform_real_distribution<>(low, high)(random);
}

SolverInput small_case(std::mt19937_64& random) {
  SolverInput in;
  in.nodes.resize(2 + random() % 3);
  for (auto& n : in.nodes) {
    for (std::size_t k = 0; k < 3; ++k) {
      n.background[k] = random() % 2 ? uniform(random, 0, 0.4) : 0;
      n.capacity[k] = uniform(random, 0.5, 1);
    }
    n.latency = {.base = 0.001, .queue = uniform(random, 0, 0.004), .confidence = 1};
    n.price_per_hour = uniform(random, 0, 2);
    n.price_per_load_hour = uniform(random, 0.1, 2);
    n.idle_watts = uniform(random, 0, 100);
    n.busy_watts = uniform(random, 10, 200);
  }
  for (int s = 0; s < 2; ++s) {
    SolverService service{.demand = uniform(random, 1, 100),
                          .latency_objective = random() % 2 ? 0.003 : 0,
                          .priority = uniform(random, 0.5, 2),
                          .objective = {},
                          .budget_per_hour = 0,
                          .first = static_cast<std::uint32_t>(in.placements.size()),
                          .count = 2};
    service.objective = {.balance = uniform(random, 0.1, 1),
                         .latency = random() % 2 ? uniform(random, 0, 1) : 0,
                         .money = random() % 2 ? uniform(random, 0, 1) : 0,
                         .energy = random() % 3 ? 0 : 0.5};
    if (random() % 4 == 0) service.budget_per_hour = uniform(random, 0.2, 3);
    const auto first = random() % in.nodes.size();
    for (std::size_t i = 0; i < 2; ++i) {
      SolverPlacement p;
      p.node = static_cast<NodeIndex>((first + i) % in.nodes.size());
      for (std::size_t k = 0; k < 3; ++k) p.per_flow_rate[k] = uniform(random, 0, 0.8) / service.demand;
      if (random() % 4 == 0) p.lower = uniform(random, 0, 0.3);
      if (random() % 4 == 0) p.upper = uniform(random, 0.6, 1);
      if (random() % 4 == 0) p.affinity = uniform(random, 0, 0.2);
      in.placements.push_back(p);
    }
    in.services.push_back(service);
  }
  return in;
}

SolverInput middle_case(std::mt19937_64& random) {
  const auto u = [&](double low, double high) { return uniform(random, low, high); };
  const auto one_of = [&](unsigned n) { return random() % n == 0; };
  SolverInput in;
  in.nodes.resize(3 + random() % 28);
  const std::size_t nodes = in.nodes.size(), services = 1 + random() % 6;
  const bool latency = one_of(2), money = one_of(2), energy = one_of(3), budget = one_of(3),
             limits = one_of(2), parked = one_of(4), heavy = one_of(4);
  std::vector<NodeIndex> order;
  std::vector<double> speed;
  for (auto& n : in.nodes) {
    for (auto& b : n.background) b = one_of(2) ? u(0, 0.4) : 0;
    for (auto& c : n.capacity) c = one_of(2) ? u(0.6, 1) : 1;
    n.latency = {.base = 0.001, .queue = u(0, 0.003), .confidence = 1};
    n.price_per_hour = u(0.1, 1), n.price_per_load_hour = u(0.1, 1);
    n.idle_watts = 100, n.busy_watts = u(100, 300);
    n.awake = order.empty() || !parked || !one_of(3);
    order.push_back(static_cast<NodeIndex>(order.size()));
    speed.push_back(u(0.2, 3));
  }
  for (std::size_t s = 0; s < services; ++s) {
    SolverService service{
        .demand = u(1, 1e4),
        .latency_objective = u(0.0015, 0.02),
        .priority = u(0.5, 2),
        .objective = {},
        .budget_per_hour = budget && one_of(2) ? u(0.05, 1) * static_cast<double>(nodes) : 0,
        .first = static_cast<std::uint32_t>(in.placements.size()),
        .count = static_cast<std::uint32_t>(1 + random() % nodes)};
    service.objective = {.balance = one_of(5) ? 0 : u(0.1, 1),
                         .latency = latency && one_of(2) ? u(0, 2) : 0,
                         .money = money && one_of(2) ? u(0, 2) : 0,
                         .energy = energy && one_of(2) ? u(0, 2) : 0};
    std::shuffle(order.begin() + 1, order.end(), random);  // the first node is awake, and everyone's
    PerDimension mix;
    for (auto& m : mix) m = one_of(4) ? 0 : u(0.1, 1);
    const double load =
        (heavy ? u(0.6, 2) : u(0.05, 0.7)) * static_cast<double>(nodes) / static_cast<double>(services);
    for (std::uint32_t i = 0; i < service.count; ++i) {
      SolverPlacement p;
      p.node = order[i];
      for (std::size_t k = 0; k < kDimensions; ++k)
        p.per_flow_rate[k] = load / service.demand * mix[k] * u(0.8, 1.2) / speed[p.node];
      if (limits && one_of(3) && i > 0) p.upper = one_of(6) ? 0 : u(0, 1);
      if (limits && one_of(4)) p.lower = std::min(p.upper, u(0, 0.5 / service.count));
      if (one_of(6)) p.affinity = u(0, 1);
      in.placements.push_back(p);
    }
    in.services.push_back(service);
  }
  return in;
}

void expect_within_limits(const SolverInput& in, const SolverResult& out) {
  for (const auto& s : in.services) {
    double sum = 0;
    for (auto p = s.first; p < s.first + s.count; ++p) {
      sum += out.share[p];
      EXPECT_GE(out.share[p], std::min(in.placements[p].lower, most_of(in, p)) - 1e-15);
      EXPECT_LE(out.share[p], most_of(in, p) + 1e-15);
    }
    EXPECT_NEAR(sum, 1, 1e-12);  // no NaN either
  }
}

}  // namespace penstock::load::test
