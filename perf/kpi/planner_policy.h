// The production planner (model, solver, law) as a policy of the simulator. A node that the planner parks
// for every service is parked, and woken when a plan wants it again.
//
// Penstock is that under the fast loop (HotCold): what production does with a new flow.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "controlplane/load/planner.h"
#include "controlplane/load/solver.h"
#include "controlplane/simulation/policies/hot_cold.h"
#include "controlplane/simulation/policy.h"

namespace penstock::kpi {

class PlannerPolicy final : public simulation::Policy {
 public:
  /// most_utilization: what an operator wants of a node at most, in each dimension.
  explicit PlannerPolicy(load::PlannerSettings settings = {}, double most_utilization = 1)
      : settings_(settings),
        most_utilization_(most_utilization),
        planner_(settings, [this](const load::SolverInput& input) { return solver_.solve(input); }) {}

  [[nodiscard]] std::string name() const override { return "penstock-weights"; }
  void start(const simulation::View& view) override;
  [[nodiscard]] double period() const override { return settings_.law.period; }
  [[nodiscard]] bool wants_reports() const override { return true; }
  void on_report(const load::NodeReport& report, double now) override { planner_.report(report); }
  void step(double now, simulation::Actions& actions) override;

 private:
  [[nodiscard]] load::PlannerFleet describe() const;
  void follow_health();
  void park_and_wake(const load::Plan& plan, simulation::Actions& actions);

  load::PlannerSettings settings_;
  double most_utilization_;
  load::Solver solver_;
  load::Planner planner_;
  const simulation::View* view_ = nullptr;
  std::vector<bool> parked_;  // by node: we parked it
  std::vector<bool> usable_;  // by placement: as the planner was told
};

class Penstock final : public simulation::Policy {
 public:
  Penstock(std::string name, simulation::HotCold::Settings fast, load::PlannerSettings settings = {},
           double most_utilization = 1)
      : name_(std::move(name)), planner_(settings, most_utilization), loops_(planner_, fast) {}

  [[nodiscard]] std::string name() const override { return name_; }
  void start(const simulation::View& view) override { loops_.start(view); }
  [[nodiscard]] double period() const override { return loops_.period(); }
  [[nodiscard]] bool wants_reports() const override { return true; }
  [[nodiscard]] bool wants_probes() const override { return true; }
  void on_report(const load::NodeReport& report, double now) override { loops_.on_report(report, now); }
  void on_probe(const simulation::ProbeReply& reply, double now) override { loops_.on_probe(reply, now); }
  void step(double now, simulation::Actions& actions) override { loops_.step(now, actions); }
  [[nodiscard]] simulation::PlacementIndex choose(const simulation::NewFlow& flow,
                                                  const simulation::View& view) override {
    return loops_.choose(flow, view);
  }

 private:
  std::string name_;
  PlannerPolicy planner_;
  simulation::HotCold loops_;
};

}  // namespace penstock::kpi
