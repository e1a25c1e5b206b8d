#include "controlplane/load/solver.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/unit/controlplane/load/solver_cases.h"

namespace penstock::load::test {
namespace {

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
}  // namespace penstock::load::test
