// Random inputs of the solver's tests, and its header's objective written out a second time.
#pragma once

#include <random>

#include "controlplane/load/solver.h"

namespace penstock::load::test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kTenth = 40;
#else
constexpr int kTenth = 1000;  // of all random cases
#endif

/// Shares in, value out. Keeps a reference to the input.
class Reference {
 public:
  explicit Reference(const SolverInput& in);
  double operator()(const std::vector<double>& share) const;

 private:
  void price();
  const SolverInput& in_;
  std::vector<double> upper_, equal_, use_, cost_;  // per placement
  double balance_ = 0, penalty_ = 0, largest_ = 0;
};

/// Of a share, whatever its node's state allows.
double most_of(const SolverInput& in, PlacementIndex placement);

double uniform(std::mt19937_64& random, double low, double high);

/// Two services of two placements each: two numbers decide, so that brute force can see everything.
SolverInput small_case(std::mt19937_64& random);

/// Up to 30 nodes and 6 services in eight dimensions, some with latency, money, energy, budgets, limits or
/// parked nodes, some beyond capacity; limits always have a sum of 1 between them.
SolverInput middle_case(std::mt19937_64& random);

/// Sums of 1, limits kept, no NaN.
void expect_within_limits(const SolverInput& in, const SolverResult& out);

}  // namespace penstock::load::test
