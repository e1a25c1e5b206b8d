#include "controlplane/load/solver.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace penstock::load {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kCases = 500;
#else
constexpr int kCases = 10000;
#endif
constexpr double kPenalty = 1000;  // SolverSettings::penalty

// The header's objective, written out a second time, term by term. Shares in, value out.
class Reference {
 public:
  explicit Reference(const SolverInput& in)
      : in_(in), equal_(in.placements.size()), use_(in.placements.size()) {
    double largest = 0;
    for (const auto& s : in.services) balance_ += s.objective.balance;
    largest = balance_;
    for (const auto& s : in.services) {
      double sum = 0, most = 0, money = 0, watts = 0;
      for (auto p = s.first; p < s.first + s.count; ++p) {
        const auto& at = in.placements[p];
        for (std::size_t k = 0; k < kDimensions; ++k)
          use_[p] = std::max(use_[p], s.demand * at.per_flow_rate[k] / in.nodes[at.node].capacity[k]);
        if (at.upper > 0) most = std::max(most, use_[p]);
      }
      for (auto p = s.first; p < s.first + s.count; ++p)
        if (in.placements[p].upper > 0) sum += equal_[p] = most > 0 ? 1 / std::max(use_[p], 1e-6 * most) : 1;
      for (auto p = s.first; p < s.first + s.count; ++p) {
        const auto& n = in.nodes[in.placements[p].node];
        equal_[p] /= sum;
        money += equal_[p] * use_[p] * (n.price_per_hour + n.price_per_load_hour);
        watts += equal_[p] * use_[p] * (n.idle_watts + n.busy_watts);
      }
      for (auto p = s.first; p < s.first + s.count; ++p) {
        const auto& n = in.nodes[in.placements[p].node];
        cost_.resize(in.placements.size());
        cost_[p] = in.placements[p].affinity;
        if (money > 0)
          cost_[p] += s.objective.money * use_[p] * (n.price_per_hour + n.price_per_load_hour) / money;
        if (watts > 0) cost_[p] += s.objective.energy * use_[p] * (n.idle_watts + n.busy_watts) / watts;
        if (in.placements[p].upper > 0) largest = std::max(largest, cost_[p]);
      }
      largest = std::max(largest, s.objective.latency * s.priority);
    }
    balance_ = std::max(balance_, 1e-3 * std::max(largest, 1e-3));
    penalty_ = kPenalty * std::max(largest, 1e-3);
  }

  double operator()(const std::vector<double>& x) const {
    double t = 0, e = 0, value = 0;
    for (NodeIndex n = 0; n < in_.nodes.size(); ++n) {
      const auto& node = in_.nodes[n];
      double r = 0, background = 0, capacity = 0;
      bool counts = false;
      for (std::size_t k = 0; k < kDimensions; ++k) {
        double use = node.background[k];
        background = std::max(background, use / node.capacity[k]);
        capacity = std::max(capacity, node.capacity[k]);
        for (const auto& s : in_.services)
          for (auto p = s.first; p < s.first + s.count; ++p)
            if (in_.placements[p].node == n) {
              use += s.demand * in_.placements[p].per_flow_rate[k] * x[p];
              counts = counts || in_.placements[p].upper > 0;
            }
        r = std::max(r, use / node.capacity[k]);
      }
      if (!counts) continue;
      t = std::max(t, r);
      e = std::max(e, r - std::max(1.0, background));
      const double rho = r * capacity, cut = std::min(rho, LatencyCurve::kMostRho);
      const double seconds = node.latency.base + node.latency.queue * cut / (1 - cut) +
                             node.latency.queue / ((1 - cut) * (1 - cut)) * (rho - cut);
      for (const auto& s : in_.services)
        for (auto p = s.first; p < s.first + s.count; ++p)
          if (in_.placements[p].node == n) {
            value += 0.01 * s.objective.balance * equal_[p] * r * r;
            if (s.latency_objective > 0)
              value += s.objective.latency * s.priority * equal_[p] *
                       std::max(0.0, seconds / s.latency_objective - 1);
          }
    }
    for (std::size_t p = 0; p < x.size(); ++p) value += cost_[p] * x[p];
    for (const auto& s : in_.services) {
      double spent = 0;
      for (auto p = s.first; p < s.first + s.count; ++p) {
        const auto& n = in_.nodes[in_.placements[p].node];
        spent += use_[p] * (n.price_per_hour + n.price_per_load_hour) * x[p];
      }
      if (s.budget_per_hour > 0) value += penalty_ * std::max(0.0, spent / s.budget_per_hour - 1);
    }
    return value + balance_ * t + penalty_ * e;
  }

 private:
  const SolverInput& in_;
  std::vector<double> equal_, use_, cost_;
  double balance_ = 0, penalty_ = 0;
};

double uniform(std::mt19937_64& random, double low, double high) {
  return std::uniform_real_distribution<>(low, high)(random);
}

// Two services of two placements each: two numbers decide, so that brute force can see everything.
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

// Nested ternary search: least over one convex function of two numbers, to 1e-7 of its arguments.
double brute_force(const SolverInput& in) {
  const Reference f(in);
  const auto range = [&](int s) {
    const auto& a = in.placements[static_cast<std::size_t>(2 * s)];
    const auto& b = in.placements[static_cast<std::size_t>(2 * s + 1)];
    return std::pair{std::max(a.lower, 1 - b.upper), std::min(a.upper, 1 - b.lower)};
  };
  const auto least = [](std::pair<double, double> in_range, auto&& at) {
    auto [low, high] = in_range;
    double best = std::min(at(low), at(high));
    for (int i = 0; i < 44; ++i) {
      const double a = low + 0.381966 * (high - low), b = low + 0.618034 * (high - low);
      const double fa = at(a), fb = at(b);
      best = std::min({best, fa, fb});
      (fa < fb ? high : low) = fa < fb ? b : a;
    }
    return best;
  };
  return least(range(0), [&](double x) {
    return least(range(1), [&](double y) { return f({x, 1 - x, y, 1 - y}); });
  });
}

void expect_within_limits(const SolverInput& in, const SolverResult& out) {
  for (const auto& s : in.services) {
    double sum = 0;
    for (auto p = s.first; p < s.first + s.count; ++p) {
      sum += out.share[p];
      EXPECT_GE(out.share[p], in.placements[p].lower - 1e-15);
      EXPECT_LE(out.share[p], in.placements[p].upper + 1e-15);
    }
    EXPECT_NEAR(sum, 1, 1e-12);
  }
}

TEST(Solver, FindsTheOptimumOfBruteForceAndItsBoundIsNeverAboveIt) {
  Solver solver;
  std::mt19937_64 random(1);
  for (int i = 0; i < kCases; ++i) {
    SCOPED_TRACE("seed 1, case " + std::to_string(i));
    const SolverInput in = small_case(random);
    const SolverResult& out = solver.solve(in);
    expect_within_limits(in, out);
    ASSERT_NEAR(out.value, Reference(in)(out.share), 1e-9 * out.value);
    ASSERT_LE(out.gap(), 1e-3) << out.value << " " << out.iterations;
    if (i % 10 != 0) continue;  // brute force takes longer than all else
    const double best = brute_force(in);
    ASSERT_LE(out.bound, best * (1 + 1e-6));
    ASSERT_LE(out.value, best * (1 + 1e-3));
    ASSERT_GE(out.value, best * (1 - 1e-5));
  }
}

SolverInput pool(std::size_t nodes, double demand) {
  SolverInput in;
  in.nodes.resize(nodes);
  for (NodeIndex n = 0; n < nodes; ++n) {
    SolverPlacement p;
    p.node = n;
    p.per_flow_rate[0] = 0.001 * (1 + n % 3);
    in.placements.push_back(p);
  }
  SolverService s;
  s.demand = demand;
  s.count = static_cast<std::uint32_t>(nodes);
  in.services.push_back(s);
  return in;
}

double level(const SolverInput& in, const SolverResult& out, NodeIndex node) {
  double use = in.nodes[node].background[0];
  for (const auto& s : in.services)
    for (auto p = s.first; p < s.first + s.count; ++p)
      if (in.placements[p].node == node) use += s.demand * in.placements[p].per_flow_rate[0] * out.share[p];
  return use;
}

TEST(Solver, BringsUnequalNodesToOneUtilization) {
  Solver solver;
  const SolverInput in = pool(9, 1000);
  const auto& out = solver.solve(in);
  ASSERT_TRUE(out.feasible);
  for (NodeIndex n = 0; n < 9; ++n)
    EXPECT_NEAR(level(in, out, n), level(in, out, 0), 0.01 * level(in, out, 0));
}

TEST(Solver, BalancesWhatIsBelowTheWorstNodeToo) {
  Solver solver;
  SolverInput in = pool(9, 1000);
  in.nodes[0].background[0] = 0.95;  // decides t, whatever the shares are
  const auto& out = solver.solve(in);
  ASSERT_TRUE(out.feasible);
  EXPECT_LT(out.share[0], 0.01);
  for (NodeIndex n = 2; n < 9; ++n)
    EXPECT_NEAR(level(in, out, n), level(in, out, 1), 0.05 * level(in, out, 1));
}

TEST(Solver, AnswersDemandBeyondCapacityWithTheLeastViolation) {
  Solver solver;
  const SolverInput in = pool(6, 6000);
  const auto& out = solver.solve(in);
  EXPECT_FALSE(out.feasible);
  expect_within_limits(in, out);
  // Level is demand over the sum of 1 / rate: 6000 / (2000 + 1000 + 666.7).
  EXPECT_NEAR(out.worst_utilization, 6.0 / (2 * (1 + 0.5 + 1.0 / 3)), 0.002);
}

TEST(Solver, AnswersLimitsThatCannotHoldAndNumbersThatAreNone) {
  Solver solver;
  SolverInput in = pool(3, 100);
  for (auto& p : in.placements) p.upper = 0;
  EXPECT_FALSE(solver.solve(in).feasible);
  for (double x : solver.solve(in).share) EXPECT_EQ(x, 0);

  in = pool(3, 100);
  for (auto& p : in.placements) p.lower = 0.5;
  EXPECT_FALSE(solver.solve(in).feasible);
  for (double x : solver.solve(in).share) EXPECT_NEAR(x, 1.0 / 3, 1e-9);

  in = pool(3, 100);
  for (auto& p : in.placements) p.upper = 0.2;
  EXPECT_FALSE(solver.solve(in).feasible);
  for (double x : solver.solve(in).share) EXPECT_NEAR(x, 1.0 / 3, 1e-9);

  for (int where = 0; where < 6; ++where) {
    in = pool(3, 100);
    (where == 0   ? in.nodes[1].background[0]
     : where == 1 ? in.nodes[1].capacity[0]
     : where == 2 ? in.services[0].demand
     : where == 3 ? in.placements[1].per_flow_rate[0]
     : where == 4 ? in.placements[1].upper
                  : in.nodes[1].price_per_hour) = kAbsent;
    const auto& out = solver.solve(in);
    EXPECT_FALSE(out.feasible) << where;
    double sum = 0;
    for (double x : out.share) sum += x;
    EXPECT_NEAR(sum, 1, 1e-9) << where;
    EXPECT_TRUE(std::isfinite(out.value) && std::isfinite(out.bound)) << where;
  }
}

TEST(Solver, AnswersAnEmptyInput) {
  Solver solver;
  const auto& out = solver.solve({});
  EXPECT_TRUE(out.feasible);
  EXPECT_TRUE(out.share.empty());
}

TEST(Solver, GivesParkedNodesNothingAndMoreDemandNoBetterValue) {
  Solver solver;
  SolverInput in = pool(4, 500);
  in.nodes[2].awake = false;
  double before = 0;
  for (double demand = 500; demand < 4000; demand *= 1.3) {
    in.services[0].demand = demand;
    const auto& out = solver.solve(in);
    EXPECT_EQ(out.share[2], 0);
    EXPECT_EQ(out.binding[2], Binding::kParked);
    EXPECT_GE(out.value, before);
    before = out.value;
  }
}

TEST(Solver, GivesTheSameSharesWhateverItSolvedBefore) {
  std::mt19937_64 random(2);
  const SolverInput in = small_case(random);
  Solver fresh, used;
  for (int i = 0; i < 20; ++i) used.solve(small_case(random));
  EXPECT_EQ(fresh.solve(in).share, used.solve(in).share);
}

}  // namespace
}  // namespace penstock::load
