#include "controlplane/load/planner.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "controlplane/load/planner_state.h"

namespace penstock::load {
namespace {

constexpr double kPause = 1e-3;  // seconds: more than none

}  // namespace

void Planner::State::step_law(ServiceIndex s, double now) {
  ServicePlan& service = plan.services[s];
  law_input.assign(service.backends.size(), {});
  double confidence = 0;
  double flows = 0;
  double active = 0;
  for (const PlacementIndex p : service.backends) {
    confidence += plan.explanations[p].cost.confidence / static_cast<double>(service.backends.size());
    flows += model.traffic(model_placement[p]).new_flows;
    active += model.traffic(model_placement[p]).active_flows;
  }
  // Feedback balances plainly while the model knows nothing; once it knows most placements, feedback is about
  // what it got wrong, and the few that it does not know yet are left out.
  const bool runs = goes_on(s);
  const bool modelled = confidence >= kTrusted;
  for (std::size_t i = 0; i < service.backends.size(); ++i) {
    const PlacementIndex p = service.backends[i];
    const PlannerBackend& b = fleet.backends[p];
    Explanation& e = plan.explanations[p];
    const auto k = static_cast<std::size_t>(e.dimension);
    e.predicted_utilization = predicted[b.node][k];
    LawInput& in = law_input[i];
    in.target = target[p];
    in.confidence = e.cost.confidence;
    const bool unknown = e.cost.confidence < (runs ? trust_in_model(runs).from : kTrusted);
    in.utilization = (modelled || runs) && unknown ? kAbsent : e.utilization;
    if (modelled && e.predicted_utilization > 0) {
      in.expected = e.predicted_utilization;
      const double own =
          service.demand * target[p] * e.cost.per_flow_rate[k] / fleet.nodes[b.node].capacity[k];
      in.elasticity = own / e.predicted_utilization;
    }
    in.measured_share = e.measured_share;
    in.age = e.telemetry_age;
    // Of a node that has not been heard yet: as if it had just become stale when this planner began.
    if (runs && std::isnan(in.age)) in.age = settings.law.stale_after + std::max(now - first_step, kPause);
    in.configured = b.configured_weight;
    if (runs && b.running_weight) in.begin = *b.running_weight;
    in.lower = fleet.services[s].min_share;
    in.upper = fleet.services[s].max_share;
    in.override_weight = b.override_weight;
    in.usable = usable(b);
  }
  const auto weights =
      laws[s].step(now, law_input, flows > 0 ? active / flows : kAbsent, settings.apply_time);
  const auto states = laws[s].states();
  service.delay_seconds = laws[s].delay_seconds();
  service.delay_periods = laws[s].delay_periods();
  service.gain_bound = laws[s].gain_bound();
  service.gain = laws[s].gain();
  reshaped =
      reshaped || !std::equal(weights.begin(), weights.end(), service.weights.begin(), service.weights.end());
  service.weights.assign(weights.begin(), weights.end());
  for (std::size_t i = 0; i < service.backends.size(); ++i) {
    plan.explanations[service.backends[i]].weight = weights[i];
    plan.explanations[service.backends[i]].state = states[i];
  }
}

Planner::Planner(PlannerSettings settings, Solve solve)
    : state_(std::make_unique<State>(settings, std::move(solve))) {}
Planner::~Planner() = default;

const PlannerFleet& Planner::fleet() const { return state_->fleet; }

void Planner::configure(PlannerFleet fleet) {
  State& s = *state_;
  const PlannerFleet old = std::exchange(s.fleet, std::move(fleet));
  s.keep_placements();
  s.keep_laws(old);
  const auto& nodes = s.fleet.nodes;
  if (!std::equal(nodes.begin(), nodes.end(), old.nodes.begin(), old.nodes.end(),
                  [](const PlannerNode& a, const PlannerNode& b) { return a.id == b.id; })) {
    s.packing = Packing(s.settings.packing);  // it knows nodes by index
  }
  s.plan.explanations.assign(s.fleet.backends.size(), {});
  s.target.assign(s.fleet.backends.size(), kAbsent);
  s.predicted.assign(s.fleet.nodes.size(), {});
  for (std::size_t i = 0; i < s.plan.services.size(); ++i) {
    const ServicePlan& service = s.plan.services[i];
    for (std::size_t j = 0; j < service.backends.size(); ++j) {
      s.plan.explanations[service.backends[j]].weight = s.laws[i].weights()[j];
    }
  }
  s.last_solve = kAbsent;
  s.reshaped = true;
}

void Planner::report(const NodeReport& report) {
  State& s = *state_;
  if (report.node >= s.fleet.nodes.size()) return;
  s.scratch = report;
  s.scratch.node = s.model_node[report.node];
  for (PlacementReport& p : s.scratch.placements) {
    p.placement = p.placement < s.model_placement.size() ? s.model_placement[p.placement] : kNone;
  }
  if (accepted(s.model.learn(s.scratch))) s.span[report.node] = report.span;
}

const Plan& Planner::step(double now) {
  State& s = *state_;
  const double elapsed = now > s.last_step ? now - s.last_step : 0;
  if (std::isnan(s.first_step)) s.first_step = now;
  s.observe(now, elapsed);
  for (ServiceIndex i = 0; i < s.fleet.services.size(); ++i) s.classify(i, elapsed);
  if (!(now - s.last_solve < s.settings.solve_period * (1 - 1e-6))) s.run_solver(now);
  for (std::size_t i = 0; i < s.fleet.services.size(); ++i) {
    if (s.fleet.services[i].policy != PolicyKind::kStatic) {
      s.step_law(static_cast<ServiceIndex>(i), now);
      continue;
    }
    for (const PlacementIndex p : s.plan.services[i].backends) {
      Explanation& e = s.plan.explanations[p];
      const PlannerBackend& b = s.fleet.backends[p];
      e.weight = b.override_weight ? *b.override_weight
                                   : static_cast<std::uint32_t>(std::lround(b.configured_weight));
      e.state = b.override_weight ? WeightState::kOverridden : WeightState::kStatic;
    }
  }
  if (std::exchange(s.reshaped, false)) ++s.plan.generation;
  if (!(now <= s.last_step)) s.last_step = now;
  return s.plan;
}

}  // namespace penstock::load
