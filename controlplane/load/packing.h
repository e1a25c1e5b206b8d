// Which nodes an energy policy may leave idle: parked ones get no share (SolverNode::awake), so that they can
// be drained and slept, and are woken before they are needed. Best fit decreasing (Johnson, Near-optimal bin
// packing algorithms, 1973) over divisible loads in several dimensions: services in the order of their need,
// each into the open nodes with the least room left, then into the parked node that carries it for the least
// power.
//
// Two packings with different fills are the hysteresis: what the tighter one (wake_fill) needs wakes at once,
// what even the looser one (park_fill) has not needed for hold_seconds is parked. Same calls, same answer.
#pragma once

#include <cstdint>
#include <vector>

#include "controlplane/load/solver.h"

namespace penstock::load {

struct PackingSettings {
  double wake_fill = 0.8;    // of capacity, 0–1: nodes are filled that far before another wakes
  double park_fill = 0.6;    // below wake_fill
  double hold_seconds = 60;  // a node is not needed for so long before it parks
  double swap_gain = 0.2;    // a parked node replaces an awake one that draws so much more, relative
};

/// One thread. Nodes are known by index; another number of nodes forgets everything.
class Packing {
 public:
  explicit Packing(PackingSettings settings = {});

  /// Sets `awake` of all nodes of the input. now: seconds, never going back. A node may be parked only if
  /// every service that may use it has an energy coefficient, and none demands a least share of it. Where
  /// demand exceeds what all nodes hold, all are awake; so are nodes with numbers that are none.
  void apply(SolverInput& input, double now);
  /// All nodes of the input are awake, now and for the next hold_seconds: the packing knows too little.
  void wake_all(SolverInput& input);

  [[nodiscard]] std::size_t parked() const;

 private:
  void read(const SolverInput& input);
  void pack(const SolverInput& input, double fill, std::vector<bool>& open);
  void keep_least(const SolverInput& input, std::vector<bool>& open) const;
  double place(const SolverInput& input, ServiceIndex service, PlacementIndex placement, double share);
  [[nodiscard]] double fits(const SolverInput& input, ServiceIndex service, PlacementIndex placement) const;
  [[nodiscard]] double watts_per_share(const SolverInput& input, PlacementIndex placement) const;

  PackingSettings settings_;
  std::vector<bool> awake_, parkable_, needed_, wanted_;
  std::vector<double> idle_since_;   // per node; infinite while it is needed
  std::vector<PerDimension> room_;   // per node, in utilisation, of the packing at hand
  std::vector<double> use_;          // per placement: of its node's capacity, busiest dimension, at share 1
  std::vector<ServiceIndex> order_;  // by need, most first
};

}  // namespace penstock::load
