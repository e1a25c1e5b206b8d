// Primal-dual interior point on a Programme. Wright, Primal-Dual Interior-Point Methods (SIAM 1997), chapters
// 5 and 6; centring is chosen by how far the last step went. One thread; keeps its memory.
//
// A latency term's kink is no kink to the method: it has a variable s >= r, s >= kink, and its cost is smooth
// in s. What a Newton step mistakes of these costs bounds the step (longest_step).
//
// starting_point.cc: where it begins. step_length.cc: how far it goes. newton_step.cc: a node's shares, r and
// s are eliminated by the Woodbury formula, whose rank is the number of the node's dimensions that matter at
// the iterate. certificate.cc: shares moved onto their sums, their value, and
// the Lagrangian bound.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "controlplane/load/programme.h"

namespace penstock::load {

class InteriorPoint {
 public:
  void run(const Programme& programme);

  // Of the best point found.
  [[nodiscard]] const std::vector<double>& shares() const { return best_; }  // per variable
  [[nodiscard]] double value() const { return value_; }
  [[nodiscard]] double bound() const { return bound_; }
  [[nodiscard]] double worst() const { return worst_; }          // t
  [[nodiscard]] double violation() const { return violation_; }  // of capacity or budget, whichever is more
  [[nodiscard]] std::uint32_t iterations() const { return iterations_; }

 private:
  /// A slack that stays above zero, its multiplier, the slack's step, and the product that the step aims at.
  struct Pair {
    double slack = 0, dual = 0, step = 0, target = 0;
    [[nodiscard]] double pull() const { return target / slack; }
    [[nodiscard]] double dual_step() const { return (target - dual * step) / slack - dual; }
    [[nodiscard]] double weight() const { return dual / slack; }
  };
  struct NodeState {
    double r = 0, dr = 0;
    Pair balance;     // t - r
    Pair overload;    // e + limit - r
    double bend = 0;  // of the node's r, all that is eliminated into it included
    double soft = 0;  // that without the pairs' weights, which may be beyond it by all digits
    std::uint32_t first_u = 0, first_triangle = 0, rank = 0;
    std::array<std::uint8_t, kDimensions> active{};  // the rows of U, `rank` of them
  };
  struct LatencyState {
    double s = 0;
    Pair above;                 // s - r
    Pair kink;                  // s - kink; its step is that of s
    double bend = 0, soft = 0;  // soft: without the weight of `above`
  };

  struct Steps {
    double primal = 1, dual = 1;
  };

  void start();
  void start_shares();
  void start_duals(double overloaded);
  void loads(std::vector<double>& out, const std::vector<double>& share) const;
  template <class Visit>
  void each_pair(Visit&& visit);
  [[nodiscard]] double complementarity();
  [[nodiscard]] double centring(double sum);
  void aim(double mu, double corrected);
  bool factor();
  void factor_node(std::size_t index);
  void scatter(std::size_t index);
  bool direction();
  void gradient_of_shares();
  void node_gradient(std::size_t index);
  void back_substitute();
  [[nodiscard]] Steps longest_step();
  [[nodiscard]] double trusted_step(double most) const;
  void advance(const Steps& by);
  void onto_sums();
  void evaluate();
  [[nodiscard]] double certified_bound();

  Steps predicted_;
  const Programme* p_ = nullptr;
  double t_ = 0, dt_ = 0;
  Pair e_;  // e is its own slack
  // Per variable.
  std::vector<double> x_, dx_, lower_dual_, upper_dual_, lower_target_, upper_target_, inverse_d_, gradient_;
  std::vector<Pair> rows_;
  std::vector<NodeState> nodes_;
  std::vector<LatencyState> latency_;
  std::vector<double> price_;              // per service: of its sum
  std::vector<Pair> budget_, excess_;      // per service; excess_.slack is f
  std::vector<std::uint32_t> budget_row_;  // per service: its row, or kNone
  std::size_t order_ = 0;                  // of the coupling system: services, budgets, t, e
  std::vector<double> system_, right_, r_gradient_, u_, triangle_, product_;
  std::vector<double> scratch_, sums_, scale_, projected_, best_, level_, slope_;
  double value_ = 0, bound_ = 0, worst_ = 0, violation_ = 0;
  std::uint32_t iterations_ = 0;
  std::size_t pairs_ = 1;
  bool budgets_ = false;
};

// Everything but the limits of shares and the budgets.
template <class Visit>
void InteriorPoint::each_pair(Visit&& visit) {
  for (auto& row : rows_) visit(row);
  for (auto& node : nodes_) visit(node.balance), visit(node.overload);
  for (auto& term : latency_) visit(term.above), visit(term.kink);
  visit(e_);
}

}  // namespace penstock::load
