#include "controlplane/load/solver.h"

#include <algorithm>
#include <cmath>

#include "controlplane/load/interior_point.h"
#include "controlplane/load/programme.h"

namespace penstock::load {

namespace {

constexpr double kTouches = 1e-3;    // of a limit, relative: near enough to be what holds a placement
constexpr double kViolation = 1e-5;  // of capacity or budget, relative

struct Held {
  const SolverInput& input;
  const SolverResult& result;
  const std::vector<double>& level;  // per node, normalised
};

Binding held_by(const Held& at, const SolverService& service, PlacementIndex p) {
  const auto& placement = at.input.placements[p];
  if (placement.node >= at.input.nodes.size()) return Binding::kParked;
  const auto& node = at.input.nodes[placement.node];
  const double share = at.result.share[p], level = at.level[placement.node];
  if (!node.awake) return Binding::kParked;
  if (share >= placement.upper - kTouches * placement.upper) return Binding::kUpper;
  if (level >= 1 - kTouches) return Binding::kCapacity;
  if (placement.lower > 0 && share <= placement.lower * (1 + kTouches)) return Binding::kLower;
  if (share < 1e-4) {
    if (placement.affinity > 0) return Binding::kAffinity;
    if (service.objective.money > 0) return Binding::kMoney;
    if (service.objective.energy > 0) return Binding::kEnergy;
  }
  if (level >= at.result.worst_utilization * (1 - kTouches)) return Binding::kUtilization;
  const double seconds =
      node.latency.at(level * *std::max_element(node.capacity.begin(), node.capacity.end()));
  if (service.objective.latency > 0 && service.latency_objective > 0 && seconds >= service.latency_objective)
    return Binding::kLatency;
  return Binding::kNothing;
}

}  // namespace

Solver::Solver(SolverSettings settings)
    : settings_(settings),
      programme_(std::make_unique<Programme>()),
      method_(std::make_unique<InteriorPoint>()) {}
Solver::~Solver() = default;

const SolverResult& Solver::solve(const SolverInput& input) {
  auto& programme = *programme_;
  programme.read(input, settings_);
  method_->run(programme);
  auto& out = result_;
  out.share = programme.fixed_share;
  for (std::size_t i = 0; i < programme.placement_of.size(); ++i)
    out.share[programme.placement_of[i]] = method_->shares()[i];
  out.value = method_->value();
  out.bound = std::min(method_->bound(), out.value);
  out.worst_utilization = method_->worst();
  out.iterations = method_->iterations();
  out.feasible = programme.sound && method_->violation() <= kViolation;

  level_.assign(input.nodes.size(), 0);
  tightest_.assign(input.nodes.size(), Dimension::kCpu);
  for (const auto& node : programme.nodes) {
    const double* rate = programme.rates.data() + node.first_rate;
    for (std::size_t k = 0; k < node.rows; ++k, rate += node.count) {
      double use = programme.base[node.first_row + k];
      for (std::size_t j = 0; j < node.count; ++j) use += rate[j] * method_->shares()[node.first + j];
      if (use <= level_[node.index]) continue;
      level_[node.index] = use;
      tightest_[node.index] = programme.row_dimension[node.first_row + k];
    }
  }
  out.binding.assign(input.placements.size(), Binding::kNothing);
  out.dimension.assign(input.placements.size(), Dimension::kCpu);
  const Held held{input, out, level_};
  for (const auto& service : input.services) {
    const std::size_t end =
        std::min<std::size_t>(input.placements.size(), std::size_t{service.first} + service.count);
    for (std::size_t p = service.first; p < end; ++p) {
      out.binding[p] = held_by(held, service, static_cast<PlacementIndex>(p));
      if (input.placements[p].node < input.nodes.size())
        out.dimension[p] = tightest_[input.placements[p].node];
    }
  }
  return out;
}

}  // namespace penstock::load
