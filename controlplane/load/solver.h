// Shares of all services over their placements, jointly (DESIGN §5, the slow loop). A convex programme:
//
//   minimise   B * t                                        B: sum of the services' balance coefficients
//            + sum_n G_n(r_n)                               latency and spread, see below
//            + sum_p (money + energy + affinity)_p x_p      linear
//            + penalty * (e + sum of f_s)
//   over       lower_p <= x_p <= upper_p, sum of x over a service's placements = 1
//   where      r_n = max over dimensions of (background + sum_{p on n} D_s * per_flow_rate_p * x_p) /
//   capacity
//              t   = max over n of r_n
//              e   = max over n of r_n above 1 (above its background where that alone is more), >= 0
//              f_s = what service s spends above its budget, relative to the budget, >= 0
//
// Nodes that no placement may use do not count. Let v_p be the share that p would have at equal utilisation.
//  - Latency: G_n has latency_s * priority_s * v_p * max(0, L_n(r_n * c_n) - objective_s) / objective_s of
//  each
//    of its placements, c_n the node's largest capacity, L_n continued by its tangent beyond kMostRho. With
//    the share x_p itself in place of v_p it would not be convex where services share a node.
//  - Spread: the worst node alone decides t and would leave all others arbitrary. G_n therefore has
//    spread * balance_s * v_p * r_n^2 too, strictly convex, least at equal utilisation. It is part of the
//    objective, so that value and bound both hold it and the gap is untouched; t is at most
//    spread * t^2 above the least possible.
//  - Money and energy: a placement is charged the node's idle and busy part by what it uses of its most used
//    dimension, relative to what its service would be charged at v: the coefficients have no currency.
//
// The method is a primal-dual interior point. Each placement touches one node, so that Newton's system falls
// apart into a small block per node and one system of a row per service, one per budget, and t and e. The
// start is inside of all limits and shares stay so; any dual point gives a bound (Lagrange), with box and sum
// minimised exactly enough to be valid whatever the iterates are.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "controlplane/load/types.h"

namespace penstock::load {

struct SolverNode {
  PerDimension background{};                      // utilisation that is not ours
  PerDimension capacity{1, 1, 1, 1, 1, 1, 1, 1};  // most utilisation wanted, > 0
  LatencyCurve latency;
  double price_per_hour = 0;       // money while it is awake, whatever it carries
  double price_per_load_hour = 0;  // money more at utilisation 1
  double idle_watts = 0;
  double busy_watts = 0;  // more than idle at utilisation 1
  bool awake = true;      // false: parked; its placements get 0
};

/// Coefficients of a policy; all >= 0.
struct Objective {
  double balance = 1;
  double latency = 0;
  double money = 0;
  double energy = 0;
};

struct SolverService {
  double demand = 0;                   // new flows a second, >= 0
  double latency_objective = 0;        // seconds; 0 = none
  double priority = 1;                 // > 0, weighs its latency
  Objective objective;                 // its policy's
  double budget_per_hour = 0;          // money at most; 0 = no limit
  std::uint32_t min_awake = 1;         // Packing keeps so many of its nodes awake, as far as it has them
  std::uint32_t first = 0, count = 0;  // its placements: [first, first + count)
};

struct SolverPlacement {
  NodeIndex node = kNone;
  PerDimension per_flow_rate{};  // UnitCost::per_flow_rate
  double lower = 0, upper = 1;   // hard limits of its share; breaker, drain: upper = 0
  double affinity = 0;  // 0 (best) to 1: cost of a wrong zone, missing data or label, in units of balance
};

struct SolverInput {
  std::vector<SolverNode> nodes;
  std::vector<SolverService> services;
  std::vector<SolverPlacement> placements;
};

/// Which limit holds a placement where it is.
enum class Binding : std::uint8_t {
  kNothing,
  kUtilization,
  kCapacity,
  kLower,
  kUpper,
  kLatency,
  kMoney,
  kEnergy,
  kParked,
  kAffinity
};

struct SolverResult {
  std::vector<double> share;         // per placement; sums to 1 per service (0 where nobody may take it)
  std::vector<Binding> binding;      // per placement
  std::vector<Dimension> dimension;  // per placement: the node's tightest dimension
  double value = 0;                  // of the objective, penalty included
  double bound = 0;                  // proven: no solution is below it
  double worst_utilization = 0;      // t
  bool feasible = true;              // false: capacities cannot hold; shares are then the least violation
  std::uint32_t iterations = 0;
  [[nodiscard]] double gap() const { return value > 0 ? (value - bound) / value : 0; }
};

struct SolverSettings {
  double spread = 0.01;   // weight of the secondary term, relative to balance; > 0
  double penalty = 1000;  // of capacity and budget, relative to the objective's largest coefficient
  double gap = 5e-4;      // of value and bound, relative to what of the value shares can change; stops there
  std::uint32_t most_iterations = 60;
};

class InteriorPoint;
struct Programme;

/// One thread. Keeps its memory: a call with sizes that it has seen allocates nothing of account.
/// Input that is no number or negative is taken as 0 and answered with feasible = false; so are demand beyond
/// capacity or budget, lower limits beyond 1 (scaled down) and upper limits below 1 (scaled up, unless all
/// are 0).
class Solver {
 public:
  explicit Solver(SolverSettings settings = {});
  ~Solver();
  Solver(const Solver&) = delete;
  Solver& operator=(const Solver&) = delete;

  /// Valid until the next call. The same input gives the same shares: nothing of earlier calls enters.
  const SolverResult& solve(const SolverInput& input);

 private:
  SolverSettings settings_;
  std::unique_ptr<Programme> programme_;
  std::unique_ptr<InteriorPoint> method_;
  SolverResult result_;
  std::vector<double> level_;        // per node: normalised utilisation at the result
  std::vector<Dimension> tightest_;  // per node
};

}  // namespace penstock::load
