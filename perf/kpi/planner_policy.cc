#include "perf/kpi/planner_policy.h"

#include <string>

namespace penstock::kpi {

void PlannerPolicy::start(const simulation::View& view) {
  view_ = &view;
  parked_.assign(view.scenario().nodes.size(), false);
  usable_.assign(view.placements().size(), true);
  planner_.configure(describe());
}

load::PlannerFleet PlannerPolicy::describe() const {
  const simulation::Scenario& scenario = view_->scenario();
  load::PlannerFleet fleet;
  for (std::size_t i = 0; i < scenario.nodes.size(); ++i) {
    const auto& node = scenario.nodes[i];
    load::PlannerNode described;
    described.id = "node-" + std::to_string(i);
    described.zone = node.zone;
    described.capacity.fill(most_utilization_);
    described.price_per_hour = node.price_per_hour;
    described.price_per_load_hour = node.price_per_load_hour;
    described.idle_watts = node.idle_watts;
    described.busy_watts = node.busy_watts;
    fleet.nodes.push_back(std::move(described));
  }
  for (load::ServiceIndex s = 0; s < scenario.services.size(); ++s) {
    const auto& service = scenario.services[s];
    load::PlannerService described;
    described.id = "service-" + std::to_string(s);
    described.policy = service.objective.energy > 0  ? load::PolicyKind::kEnergy
                       : service.objective.money > 0 ? load::PolicyKind::kCost
                                                     : load::PolicyKind::kCustom;
    described.objective = service.objective;
    described.latency_objective = service.latency_objective;
    described.priority = service.priority;
    fleet.services.push_back(std::move(described));
    for (std::uint32_t i = 0; i < view_->count(s); ++i) {
      const load::PlacementIndex p = view_->first(s) + i;
      load::PlannerBackend backend;
      backend.id = "backend-" + std::to_string(p);
      backend.service = s;
      backend.node = view_->placements()[p].node;
      backend.configured_weight = service.weights.empty() ? 1000 : service.weights[i];
      backend.usable = usable_[p];
      fleet.backends.push_back(std::move(backend));
    }
  }
  return fleet;
}

void PlannerPolicy::follow_health() {
  bool changed = false;
  for (load::PlacementIndex p = 0; p < usable_.size(); ++p) {
    const bool usable = view_->usable(p) || parked_[view_->placements()[p].node];
    changed |= usable != usable_[p];
    usable_[p] = usable;
  }
  if (changed) planner_.configure(describe());
}

void PlannerPolicy::park_and_wake(const load::Plan& plan, simulation::Actions& actions) {
  std::vector<bool> idle(parked_.size(), true);
  for (load::PlacementIndex p = 0; p < plan.explanations.size(); ++p) {
    const auto& why = plan.explanations[p];
    if (why.weight != 0 || why.state != load::WeightState::kParked) idle[view_->placements()[p].node] = false;
  }
  for (load::NodeIndex node = 0; node < idle.size(); ++node) {
    if (idle[node] && !parked_[node]) actions.park(node);
    if (!idle[node] && parked_[node]) actions.wake(node);
    parked_[node] = idle[node];
  }
}

void PlannerPolicy::step(double now, simulation::Actions& actions) {
  follow_health();
  const load::Plan& plan = planner_.step(now);
  for (load::ServiceIndex s = 0; s < plan.services.size(); ++s) {
    if (!plan.services[s].weights.empty()) actions.set_weights(s, plan.services[s].weights);
  }
  park_and_wake(plan, actions);
}

}  // namespace penstock::kpi
