// Shares of all services over their placements, jointly (DESIGN §5, the slow loop). A convex programme:
//
//   minimise   balance * t
//            + latency * sum_p w_p x_p D_s * max(0, L_p(rho_n(x)) - objective_s) / objective_s    (convex in x)
//            + money   * sum_n price_n   * (idle share + rho-proportional share)
//            + energy  * sum_n watts_n(rho_n)
//   over       x_p >= 0, sum of x over a service's placements = 1, t >= every node's normalised utilisation
//   subject to utilisation <= capacity, lower_p <= x_p <= upper_p
//
// with each service's traffic D_s (new flows a second) and utilisation of node n in dimension k
//   u_nk(x) = background_nk + sum_{p on n} D_s * cost_pk * x_p, normalised by capacity_nk.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "controlplane/load/types.h"

namespace penstock::load {

struct SolverNode {
  PerDimension background{};  // utilisation that is not ours
  PerDimension capacity{1, 1, 1, 1, 1, 1, 1, 1};  // most utilisation wanted, > 0
  LatencyCurve latency;
  double price_per_hour = 0;       // money while it is awake, whatever it carries
  double price_per_load_hour = 0;  // money more at utilisation 1
  double idle_watts = 0;
  double busy_watts = 0;           // more than idle at utilisation 1
  bool awake = true;               // false: parked; its placements get 0
};

/// Coefficients of a policy; all >= 0.
struct Objective {
  double balance = 1;
  double latency = 0;
  double money = 0;
  double energy = 0;
};

struct SolverService {
  double demand = 0;                  // new flows a second, >= 0
  double latency_objective = 0;       // seconds; 0 = none
  double priority = 1;                // > 0, weighs its latency
  Objective objective;                // its policy's
  double budget_per_hour = 0;         // money at most; 0 = no limit
  std::uint32_t first = 0, count = 0; // its placements: [first, first + count)
};

struct SolverPlacement {
  NodeIndex node = kNone;
  PerDimension per_flow_rate{};  // UnitCost::per_flow_rate
  double lower = 0, upper = 1;   // hard limits of its share; breaker, drain: upper = 0
  double affinity = 0;           // 0 (best) to 1: cost of a wrong zone, missing data or label, in units of balance
};

struct SolverInput {
  std::vector<SolverNode> nodes;
  std::vector<SolverService> services;
  std::vector<SolverPlacement> placements;
};

/// Which limit holds a placement where it is.
enum class Binding : std::uint8_t { kNothing, kUtilization, kCapacity, kLower, kUpper, kLatency, kMoney, kEnergy, kParked, kAffinity };

struct SolverResult {
  std::vector<double> share;           // per placement; sums to 1 per service (0 where nobody may take it)
  std::vector<Binding> binding;        // per placement
  std::vector<Dimension> dimension;    // per placement: the node's tightest dimension
  double value = 0;                    // of the objective
  double bound = 0;                    // proven: no solution is below it
  double worst_utilization = 0;        // t
  bool feasible = true;                // false: capacities cannot hold; shares are then the least violation
  std::uint32_t iterations = 0;
  [[nodiscard]] double gap() const { return value > 0 ? (value - bound) / value : 0; }
};

}  // namespace penstock::load
