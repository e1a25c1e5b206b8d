// The slow loop in one object (DESIGN §5): reports -> LoadModel -> Solver -> one WeightLaw per service ->
// weights. It knows no protocol, no document and no clock. One thread owns it; two planners share nothing.
// Every second and fraction is the caller's: `now` on the clock that reports are stamped with, never going
// back.
//
// The fleet is whole at every configure(); what was learned follows ids: a node's background, costs and
// latency by node id, a law's weights by service id and backend id. NodeIndex, ServiceIndex and
// PlacementIndex of reports and plans are positions in the last fleet's `nodes`, `services` and `backends`.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controlplane/load/law.h"
#include "controlplane/load/packing.h"
#include "controlplane/load/policy.h"
#include "controlplane/load/solver.h"
#include "controlplane/load/types.h"
#include "controlplane/load/workload_class.h"

namespace penstock::load {

using Labels = std::map<std::string, std::string>;

struct PlannerNode {
  std::string id;  // unique
  std::string zone;
  Labels labels;
  PerDimension capacity{1, 1, 1, 1, 1, 1, 1, 1};  // most utilisation wanted, > 0
  double price_per_hour = 0;
  double price_per_load_hour = 0;
  double idle_watts = 0;
  double busy_watts = 0;
};

struct PlannerService {
  std::string id;  // unique
  PolicyKind policy = PolicyKind::kStatic;
  Objective objective;           // of the policy; what counts (`policy` only tells static and energy apart)
  double latency_objective = 0;  // seconds; 0 = none
  double priority = 1;           // > 0
  std::optional<WorkloadClass> workload;                                // nullopt: learned
  double min_share = 0, max_share = 1;                                  // of every usable backend
  double budget_per_hour = 0;                                           // 0 = no limit
  std::uint32_t min_awake = 1;                                          // nodes that are never parked
  double deadband = LawSettings{}.deadband, slew = LawSettings{}.slew;  // of its law
  std::string zone;                                                     // wanted; empty = any
  bool zone_strict = false;                                             // another zone's backends get nothing
  Labels labels;  // wanted of a node (locality of data, hardware)
};

/// A service's backend: a placement.
struct PlannerBackend {
  std::string id;  // unique in its service
  ServiceIndex service = kNone;
  NodeIndex node = kNone;
  double configured_weight = 1;                  // 0–1000; 0 = drained by configuration
  std::optional<std::uint32_t> override_weight;  // an operator's word: published as it is, at once
  bool usable = true;                            // health, breaker, drain
  // What dataplanes used when the planner began: weights go on from there. It counts as the configured one
  // does until the model knows better, if all usable backends of the service have one.
  std::optional<std::uint32_t> running_weight;
};

struct PlannerFleet {
  std::vector<PlannerNode> nodes;
  std::vector<PlannerService> services;
  std::vector<PlannerBackend> backends;
};

struct PlannerSettings {
  LawSettings law;
  double apply_time = 0.02;    // seconds from a plan to the dataplane's use of it
  double solve_period = 0.1;   // seconds between solver runs; the law steps at every step()
  double demand_memory = 0.3;  // seconds of smoothing of a service's new flows a second
  PackingSettings packing;     // of nodes that only services with an energy coefficient use
  WorkloadSettings workload;
};

/// Why a backend has its weight. Unknown numbers are NaN.
struct Explanation {
  std::uint32_t weight = 0;         // as planned
  double configured = 0;            // weight
  double target_share = kAbsent;    // the solver's, of the service's new flows
  double measured_share = kAbsent;  // of the service's new flows in the last reports
  Binding binding = Binding::kNothing;
  Dimension dimension = Dimension::kCpu;   // the node's tightest
  double utilization = kAbsent;            // measured, in that dimension, over the node's capacity
  double predicted_utilization = kAbsent;  // the model's, at the target
  UnitCost cost;
  LatencyCurve latency;
  double telemetry_age = kAbsent;  // seconds
  double affinity = 0;             // 0 best, 1 worst
  WeightState state = WeightState::kStatic;
};

struct ServicePlan {
  std::vector<PlacementIndex> backends;  // of this service, in the fleet's order
  std::vector<std::uint32_t> weights;    // parallel to it; empty under policy static: use what is configured
  double demand = 0;                     // new flows a second, all gateways
  WorkloadClass workload = WorkloadClass::kLatencySensitive;
  bool workload_learned = true;    // false: configured
  double workload_confidence = 0;  // of what is learned, 0–1
  double delay_seconds = 0;        // measured, smoothed
  double delay_periods = 0;        // d
  double gain_bound = 1;           // no_overshoot_gain(d)
  double gain = 0;                 // in use, below the bound
};

struct Plan {
  std::uint64_t generation = 0;           // rises exactly when a weight changed or a fleet was configured
  std::vector<ServicePlan> services;      // by ServiceIndex
  std::vector<Explanation> explanations;  // by PlacementIndex
  double objective_value = 0;             // the solver's, of all services together
  double gap = 0;                         // relative, proven
  bool feasible = true;                   // false: capacities cannot hold the demand
  std::size_t parked = 0;                 // nodes
};

/// Answers for every placement of the input, as solver.h says; no exceptions.
using Solve = std::function<SolverResult(const SolverInput&)>;

class Planner {
 public:
  Planner(PlannerSettings settings, Solve solve);
  ~Planner();
  Planner(const Planner&) = delete;
  Planner& operator=(const Planner&) = delete;

  /// Takes a whole fleet. Entries that name no service or node of it are not planned for (their weight is 0):
  /// the caller checks documents, this room does not.
  void configure(PlannerFleet fleet);

  /// Learns from one report. Reports with unknown indices, times that go back or a span <= 0 teach nothing.
  void report(const NodeReport& report);

  /// The plan for now; valid until the next call of this object. Overrides, drains and configure() take
  /// effect here.
  const Plan& step(double now);

  [[nodiscard]] const PlannerFleet& fleet() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace penstock::load
