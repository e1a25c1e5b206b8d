// One function per row of the table of KPIs, each in a file of its own. They run policies in scenarios and
// add figures: with a target for the production policy, without one for what it is compared with.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/load/planner.h"
#include "controlplane/simulation/run_result.h"
#include "perf/kpi/fleet.h"
#include "perf/kpi/svg_plot.h"
#include "perf/micro/report/figures.h"

namespace penstock::kpi {

/// The policy that the targets are for: production's planner and its fast loop.
inline constexpr std::string_view kOurs = "penstock";
/// The same with the fast loop of services whose weights stand still: it takes nearly all of a hot node's new
/// flows.
inline constexpr std::string_view kStrict = "penstock-strict";
/// The planner alone: what the fast loop adds is the difference.
inline constexpr std::string_view kWeightsOnly = "penstock-weights";
/// Weights that stand still, chosen by perfect knowledge (set_ideal_weights): what is left is chance,
/// and the grain of hash tables.
inline constexpr std::string_view kIdeal = "ideal-weights";

struct InputSet {
  std::string name;  // "synthetic", "real"
  const Inputs* inputs = nullptr;
};

/// What experiments share. One thread.
struct Bench {
  explicit Bench(perf::Figures& into) : figures(into) {}

  perf::Figures& figures;
  bool quick = false;
  std::vector<InputSet> sets;
  std::string plots;              // SVG files begin with this
  load::PlannerSettings planner;  // of ours
  double most_utilization = 1;    // that it may fill nodes to
  std::uint64_t flows = 0;        // of all runs
  std::uint64_t moved = 0;        // established flows that reached another node, under kOurs

  /// Ends the program if the scenario makes no sense or there is no such policy.
  simulation::RunResult run(const simulation::Scenario& scenario, std::string_view policy);
  /// kOurs, kWeightsOnly, and in a full run all that it is compared with; in a quick run the strongest few.
  [[nodiscard]] std::vector<std::string_view> policies() const;
  /// Whether ours is compared with it: neither a part of ours nor what nobody can have.
  [[nodiscard]] static bool is_rival(std::string_view policy) {
    return policy != kOurs && policy != kStrict && policy != kWeightsOnly && policy != kIdeal &&
           policy != "oracle";
  }
  /// A plan of the size that the run has time for.
  [[nodiscard]] FleetPlan plan() const;
  void draw(const std::string& name, const std::string& svg) const;
};

void measure_spread(Bench& bench);
void measure_placement(Bench& bench);
void measure_tail(Bench& bench);
void measure_sustained(Bench& bench);
void measure_settling(Bench& bench);
void measure_cost(Bench& bench);
void measure_determinism(Bench& bench);

}  // namespace penstock::kpi
