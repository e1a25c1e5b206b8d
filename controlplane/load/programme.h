// The solver's convex programme (solver.h) in the shape that its method wants: variables grouped by node,
// what cannot move folded into the nodes' constants, all numbers checked.
#pragma once

#include <cstdint>
#include <vector>

#include "controlplane/load/solver.h"

namespace penstock::load {

struct Programme {
  struct Latency {
    double weight = 0, objective = 1;
    double kink = 0;  // r at which the objective is reached; the term is constant below
  };
  struct Node {
    NodeIndex index = 0;
    std::uint32_t first = 0, count = 0;     // variables
    std::uint32_t first_row = 0, rows = 0;  // of `base`
    std::uint32_t first_rate = 0;           // rates[first_rate + row * count + variable]
    std::uint32_t first_latency = 0, latencies = 0;
    double limit = 1;                // r may reach this without penalty
    double quadratic = 0;            // spread: quadratic * r^2
    double capacity = 1;             // the largest: r * capacity is the utilisation that latency is read at
    double lowest = 0, highest = 0;  // r at all shares' lower and upper ends
    LatencyCurve curve;
  };

  SolverSettings settings;
  std::vector<Node> nodes;
  std::vector<double> base;  // per row: normalised utilisation that no variable moves
  std::vector<Dimension> row_dimension;
  std::vector<double> rates;  // normalised utilisation at share 1
  std::vector<Latency> latency;
  // Per variable.
  std::vector<PlacementIndex> placement_of;
  std::vector<ServiceIndex> service_of;
  std::vector<double> lower, upper, cost, spending;
  // Per service.
  std::vector<double> remaining;  // what its variables sum to
  std::vector<double> budget;     // relative, what its variables may spend; infinite = none
  // Per placement of the input.
  std::vector<double> fixed_share, equal_share;
  double balance = 0;  // at least a thousandth of the largest: t must be held by something
  double penalty = 0;
  double smallest = 0;  // difference of objectives that is none
  double constant = 0;  // of the objective, from fixed shares
  double given =
      0;  // of the objective, what no shares change: `constant`, and t at the least of all nodes' levels
  bool sound = true;  // false: numbers or limits were repaired

  void read(const SolverInput& input, const SolverSettings& with);

  struct Curve {
    double value = 0, slope = 0, bend = 0;
  };
  /// A latency term at s >= its kink.
  [[nodiscard]] Curve latency_at(const Node& node, const Latency& term, double s) const;
  /// Latency and spread of a node at r: value and slope from the right.
  [[nodiscard]] Curve curve(const Node& node, double r) const;

 private:
  void limit_shares(const SolverInput& input);
  void group(const SolverInput& input);
  void price(const SolverInput& input);
  void add_latency(Node& node, double weight, double objective);
  void drop_dominated(Node& node);
  void bound_levels(Node& node);
  double number(double value);
  std::vector<std::uint32_t> start_;
  std::vector<PlacementIndex> order_;
  std::vector<ServiceIndex> service_at_;
  std::vector<double> low_, high_, use_, cost_, spend_;  // per placement
};

}  // namespace penstock::load
