// What a planner remembers, for the files that are its parts: planner_fleet.cc (who is there),
// planner_targets.cc (what is known and what the solver makes of it) and planner.cc (the law, and the face of
// all).
#pragma once

#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "controlplane/load/load_model.h"
#include "controlplane/load/packing.h"
#include "controlplane/load/planner.h"
#include "controlplane/load/workload_class.h"

namespace penstock::load {

// Confidence in a placement's cost from which the solver's share is taken as it is; below, configuration has
// its part. A cold model knows nothing of a node, and a share that minimises nothing is no share.
inline constexpr double kTrusted = 0.2;

/// Confidence from which the solver's share has a part, and from which it is taken as it is. Weights that a
/// planner before this one had learned are better than what the first reports make one believe.
struct Trust {
  double from;
  double whole;
};
constexpr Trust trust_in_model(bool goes_on) { return goes_on ? Trust{0.5, 0.8} : Trust{0, kTrusted}; }

struct Planner::State {
  State(PlannerSettings planner_settings, Solve solve_with)
      : settings(planner_settings), solve(std::move(solve_with)), packing(planner_settings.packing) {}

  void keep_nodes();
  void keep_placements();
  void keep_laws(const PlannerFleet& old);
  void observe(double now, double elapsed);
  void classify(ServiceIndex service, double elapsed);
  void run_solver(double now);
  void describe_nodes();
  void describe_service(ServiceIndex service);
  void park(double now);
  void predict(ServiceIndex service);
  /// Whether it is known what dataplanes used before.
  [[nodiscard]] bool goes_on(ServiceIndex service) const;
  void step_law(ServiceIndex service, double now);

  [[nodiscard]] bool planned(const PlannerBackend& b) const {
    return b.service < fleet.services.size() && b.node < fleet.nodes.size();
  }
  [[nodiscard]] bool usable(const PlannerBackend& b) const {
    const PlannerService& service = fleet.services[b.service];
    const bool zone =
        !service.zone_strict || service.zone.empty() || service.zone == fleet.nodes[b.node].zone;
    return b.usable && zone && b.configured_weight > 0;
  }
  [[nodiscard]] double utilization(NodeIndex node, std::size_t dimension) const {
    return model.utilization(model_node[node])[dimension] / fleet.nodes[node].capacity[dimension];
  }

  PlannerSettings settings;
  Solve solve;
  LoadModel model;
  PlannerFleet fleet;
  std::unordered_map<std::string, NodeIndex> node_ids;            // id -> the model's index
  std::unordered_map<std::string, PlacementIndex> placement_ids;  // key_of() -> the model's index
  std::unordered_map<std::string, ServiceIndex>
      service_ids;                              // never given again: what a service costs is kept
  std::vector<NodeIndex> model_node;            // by NodeIndex of the fleet
  std::vector<double> span;                     // of the node's last report
  std::vector<PlacementIndex> model_placement;  // by PlacementIndex of the fleet; kNone: not planned
  std::vector<WeightLaw> laws;                  // by ServiceIndex
  std::vector<WorkloadClassifier> classifiers;  // by ServiceIndex
  std::vector<double> target;                   // by PlacementIndex, of the last solution
  std::vector<PerDimension> predicted;          // by NodeIndex, utilisation at the targets over capacity
  SolverInput input;
  Packing packing;
  std::vector<bool> held;                // by PlacementIndex: its share was not the solver's to choose
  std::vector<PlacementIndex> position;  // of the fleet's placements in the input
  std::vector<LawInput> law_input;
  NodeReport scratch;
  Plan plan;
  double first_step = kAbsent;
  double last_step = kAbsent;
  double last_solve = kAbsent;
  bool reshaped = false;  // positions changed since the last step
};

}  // namespace penstock::load
