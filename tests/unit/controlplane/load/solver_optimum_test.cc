// Against brute force, against the conditions of an optimum, and against points around: 10,000 random cases.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "controlplane/load/solver.h"
#include "tests/unit/controlplane/load/solver_cases.h"

namespace penstock::load::test {
namespace {

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

TEST(SolverOptimum, IsThatOfBruteForceAndTheBoundIsNeverAboveIt) {
  Solver solver;
  std::mt19937_64 random(1);
  for (int i = 0; i < 5 * kTenth; ++i) {
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

// A convex objective is least where no move within the limits goes down. Moves of all lengths between two
// shares, and towards corners, may find no more than the gap.
TEST(SolverOptimum, LeavesNothingToGainByMovingSharesAndIsProven) {
  Solver solver;
  std::mt19937_64 random(2);
  for (int i = 0; i < 4 * kTenth; ++i) {
    SCOPED_TRACE("seed 2, case " + std::to_string(i));
    const SolverInput in = middle_case(random);
    const SolverResult& out = solver.solve(in);
    expect_within_limits(in, out);
    const Reference value(in);
    ASSERT_NEAR(out.value, value(out.share), 1e-9 * out.value);
    ASSERT_LE(out.gap(), 1e-3) << out.value << " " << out.iterations;
    std::vector<double> moved = out.share;
    for (int move = 0; move < 30; ++move) {
      const auto& s = in.services[random() % in.services.size()];
      const auto from = s.first + random() % s.count, to = s.first + random() % s.count;
      const double room = std::min(
          moved[from] - std::min(in.placements[from].lower, most_of(in, static_cast<PlacementIndex>(from))),
          most_of(in, static_cast<PlacementIndex>(to)) - moved[to]);
      const double by = std::max(0.0, room) * std::pow(10, uniform(random, -4, 0));
      moved[from] -= by, moved[to] += by;
      const double now = value(moved);
      ASSERT_GE(now, out.bound * (1 - 1e-9));
      if (now >= out.value) moved[from] += by, moved[to] -= by;  // descent: keeps what went down
    }
  }
}

// One service in one dimension, where Karush, Kuhn and Tucker's multipliers can be read off the shares. With
// slope a = 2 * spread * v * r * rate of a share's own node, price y of the sum, and q of "the node is below
// t":
//   a + q * rate = y between the limits, >= y at the lower, <= y at the upper; q >= 0 only at t, sum of q =
//   B.
TEST(SolverOptimum, MeetsTheConditionsOfKarushKuhnAndTucker) {
  Solver solver({.gap = 1e-7, .most_iterations = 100});
  std::mt19937_64 random(3);
  for (int i = 0; i < kTenth; ++i) {
    SCOPED_TRACE("seed 3, case " + std::to_string(i));
    SolverInput in;
    const std::size_t nodes = 2 + random() % 20;
    SolverService s{.demand = 1,
                    .latency_objective = 0,
                    .priority = 1,
                    .objective = {},
                    .budget_per_hour = 0,
                    .first = 0,
                    .count = static_cast<std::uint32_t>(nodes)};
    double each = 0;
    std::vector<double> rate;
    for (NodeIndex n = 0; n < nodes; ++n) {
      SolverPlacement p;
      p.node = n;
      rate.push_back(p.per_flow_rate[0] = uniform(random, 0.2, 0.5) * static_cast<double>(nodes));
      if (random() % 3 == 0) p.upper = uniform(random, 1, 2) / static_cast<double>(nodes);
      if (random() % 3 == 0) p.lower = uniform(random, 0, 0.9) / static_cast<double>(nodes);
      in.placements.push_back(p);
      in.nodes.emplace_back().background[0] = random() % 2 ? uniform(random, 0, 0.5) : 0;
      each += 1 / rate.back();
    }
    in.services.push_back(s);
    const auto& out = solver.solve(in);
    expect_within_limits(in, out);
    ASSERT_LE(out.gap(), 1e-6);
    if (out.worst_utilization > 1) continue;
    const auto level = [&](std::size_t n) { return in.nodes[n].background[0] + rate[n] * out.share[n]; };
    const auto slope = [&](std::size_t n) { return 2 * 0.01 / (rate[n] * each) * level(n) * rate[n]; };
    const auto free = [&](std::size_t n) {
      return out.share[n] > in.placements[n].lower + 1e-3 && out.share[n] < in.placements[n].upper - 1e-3;
    };
    const auto below = [&](std::size_t n) { return level(n) < out.worst_utilization - 1e-3; };
    // The price: of a free share below t, or, where all free ones are at t, from the sum of q.
    double y = -1, sum = 1, weight = 0;
    for (std::size_t n = 0; n < nodes; ++n) {
      if (free(n) && below(n)) y = slope(n);
      if (free(n) && !below(n)) sum += slope(n) / rate[n], weight += 1 / rate[n];
    }
    if (y < 0 && weight > 0) y = sum / weight;
    if (y < 0) continue;  // every share at a limit: any price between fits
    double balance = 0;
    bool all = true;  // nodes at t have their q known
    for (std::size_t n = 0; n < nodes; ++n) {
      const double q = (y - slope(n)) / rate[n];
      const auto& p = in.placements[n];
      if (!below(n)) all = all && free(n);
      if (free(n) && !below(n)) balance += q;
      if (free(n) || out.share[n] >= p.upper - 1e-3) {
        EXPECT_GE(q, -2e-3) << n;
      }
      if (below(n) && (free(n) || out.share[n] <= p.lower + 1e-3)) {
        EXPECT_LE(q, 2e-3) << n;
      }
    }
    EXPECT_LE(balance, 1 + 2e-2);
    if (all) {
      EXPECT_GE(balance, 1 - 2e-2);
    }
  }
}

}  // namespace
}  // namespace penstock::load::test
