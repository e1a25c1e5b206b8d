#include "controlplane/load/packing.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace penstock::load {

namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();
constexpr double kPlaced = 1e-9;  // a rest of a service that is none

bool sound(double value) { return std::isfinite(value) && value >= 0; }

bool sound(const SolverNode& node) {
  for (std::size_t k = 0; k < kDimensions; ++k)
    if (!sound(node.background[k]) || !sound(node.capacity[k]) || node.capacity[k] == 0) return false;
  return sound(node.idle_watts) && sound(node.busy_watts);
}

template <class Visit>
void each_usable(const SolverInput& input, const SolverService& service, Visit&& visit) {
  const std::size_t end = std::min(input.placements.size(), std::size_t{service.first} + service.count);
  for (std::size_t p = service.first; p < end; ++p) {
    const auto& placement = input.placements[p];
    if (placement.node < input.nodes.size() && placement.upper > 0)
      visit(static_cast<PlacementIndex>(p), placement);
  }
}

}  // namespace

Packing::Packing(PackingSettings settings) : settings_(settings) {}

std::size_t Packing::parked() const {
  return static_cast<std::size_t>(std::count(awake_.begin(), awake_.end(), false));
}

void Packing::apply(SolverInput& input, double now) {
  const std::size_t nodes = input.nodes.size();
  if (awake_.size() != nodes) {
    awake_.assign(nodes, true);
    idle_since_.assign(nodes, kNever);
  }
  read(input);
  pack(input, settings_.wake_fill, needed_);
  pack(input, std::min(settings_.park_fill, settings_.wake_fill), wanted_);
  for (NodeIndex n = 0; n < nodes; ++n) {
    if (needed_[n]) awake_[n] = true;
    if (needed_[n] || wanted_[n] || !awake_[n]) {
      idle_since_[n] = kNever;
    } else {
      idle_since_[n] = std::min(idle_since_[n], now);
      if (now - idle_since_[n] >= settings_.hold_seconds) awake_[n] = false;
    }
    input.nodes[n].awake = awake_[n];
  }
}

void Packing::wake_all(SolverInput& input) {
  awake_.assign(input.nodes.size(), true);
  idle_since_.assign(input.nodes.size(), kNever);
  for (SolverNode& node : input.nodes) node.awake = true;
}

void Packing::read(const SolverInput& input) {
  parkable_.resize(input.nodes.size());
  for (NodeIndex n = 0; n < input.nodes.size(); ++n) parkable_[n] = sound(input.nodes[n]);
  use_.assign(input.placements.size(), 0);
  std::vector<double> need(input.services.size(), 0);
  for (ServiceIndex s = 0; s < input.services.size(); ++s) {
    const auto& service = input.services[s];
    double least = kNever;
    each_usable(input, service, [&](PlacementIndex p, const SolverPlacement& placement) {
      bool known = sound(service.demand);
      for (std::size_t k = 0; k < kDimensions; ++k) {
        const double use =
            service.demand * placement.per_flow_rate[k] / input.nodes[placement.node].capacity[k];
        known = known && sound(use);
        if (known) use_[p] = std::max(use_[p], use);
      }
      least = std::min(least, use_[p]);
      if (!known || !(service.objective.energy > 0) || !(placement.lower <= 0))
        parkable_[placement.node] = false;
    });
    if (least < kNever) need[s] = least;
  }
  order_.resize(input.services.size());
  std::iota(order_.begin(), order_.end(), 0U);
  std::stable_sort(order_.begin(), order_.end(),
                   [&](ServiceIndex a, ServiceIndex b) { return need[a] > need[b]; });
}

// Share of the service that the node still has room for, within the placement's upper limit.
double Packing::fits(const SolverInput& input, ServiceIndex s, PlacementIndex p) const {
  const auto& placement = input.placements[p];
  double share = std::min(1.0, placement.upper);
  for (std::size_t k = 0; k < kDimensions; ++k) {
    const double use = input.services[s].demand * placement.per_flow_rate[k];
    if (use > 0) share = std::min(share, std::max(0.0, room_[placement.node][k]) / use);
  }
  return std::isnan(share) ? 0 : share;
}

double Packing::place(const SolverInput& input, ServiceIndex s, PlacementIndex p, double share) {
  const double taken = std::min(share, fits(input, s, p));
  const auto& placement = input.placements[p];
  for (std::size_t k = 0; k < kDimensions; ++k)
    room_[placement.node][k] -= taken * input.services[s].demand * placement.per_flow_rate[k];
  return taken;
}

// Idle power counts for the part of the node that the service can use.
double Packing::watts_per_share(const SolverInput& input, PlacementIndex p) const {
  const auto& node = input.nodes[input.placements[p].node];
  const double watts = use_[p] * (node.idle_watts + node.busy_watts);
  return awake_[input.placements[p].node] ? watts : watts * (1 + settings_.swap_gain);
}

void Packing::pack(const SolverInput& input, double fill, std::vector<bool>& open) {
  const std::size_t nodes = input.nodes.size();
  open.assign(nodes, false);
  room_.resize(nodes);
  for (NodeIndex n = 0; n < nodes; ++n) {
    open[n] = !parkable_[n];
    for (std::size_t k = 0; k < kDimensions; ++k)
      room_[n][k] = fill * input.nodes[n].capacity[k] - input.nodes[n].background[k];
  }
  keep_least(input, open);
  std::vector<std::pair<double, PlacementIndex>> ranked;
  for (const ServiceIndex s : order_) {
    double rest = sound(input.services[s].demand) && input.services[s].demand > 0 ? 1 : 0;
    // Open nodes, the least room first; then parked ones, the least power first.
    for (const bool opened : {true, false}) {
      ranked.clear();
      each_usable(input, input.services[s], [&](PlacementIndex p, const SolverPlacement& placement) {
        if (open[placement.node] == opened)
          ranked.emplace_back(opened ? fits(input, s, p) : watts_per_share(input, p), p);
      });
      std::sort(ranked.begin(), ranked.end());
      for (const auto& [rank, p] : ranked) {
        if (rest <= kPlaced) break;
        const double taken = place(input, s, p, rest);
        rest -= taken;
        if (taken > 0) open[input.placements[p].node] = true;
      }
    }
    if (rest <= kPlaced) continue;
    // More than its nodes hold at this fill: the solver needs every one of them.
    each_usable(input, input.services[s],
                [&](PlacementIndex, const SolverPlacement& at) { open[at.node] = true; });
  }
}

void Packing::keep_least(const SolverInput& input, std::vector<bool>& open) const {
  std::vector<std::pair<double, PlacementIndex>> ranked;
  for (const ServiceIndex s : order_) {
    std::size_t have = 0;
    ranked.clear();
    each_usable(input, input.services[s], [&](PlacementIndex p, const SolverPlacement& placement) {
      if (open[placement.node])
        ++have;
      else
        ranked.emplace_back(watts_per_share(input, p), p);
    });
    std::sort(ranked.begin(), ranked.end());
    for (std::size_t i = 0; i < ranked.size() && have < input.services[s].min_awake; ++i, ++have)
      open[input.placements[ranked[i].second].node] = true;
  }
}

}  // namespace penstock::load
