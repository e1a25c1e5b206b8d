#include "controlplane/api/weight_metrics.h"

#include <algorithm>

#include "controlplane/api/metric_family.h"
#include "controlplane/api/weight_document.h"

namespace penstock {
namespace {

struct LawMetric {
  const char* name;
  const char* help;
  double load::ServicePlan::*value;
};

constexpr LawMetric kLawMetrics[] = {
    {"penstock_weight_delay_periods", "Delay from a weight to its effect in telemetry, in control periods.",
     &load::ServicePlan::delay_periods},
    {"penstock_weight_gain", "Gain of the control law in use.", &load::ServicePlan::gain},
    {"penstock_weight_gain_bound", "Largest gain without overshoot at this delay.",
     &load::ServicePlan::gain_bound},
};

}  // namespace

void weight_families(std::string& out, const DesiredState& state, const WeightSnapshot& snapshot) {
  const std::size_t planned = std::min(snapshot.plan.services.size(), snapshot.fleet->services.size());
  for (const LawMetric& metric : kLawMetrics) {
    Family family(out, metric.name, "gauge", metric.help);
    for (std::size_t i = 0; i < planned; ++i) {
      const load::ServicePlan& plan = snapshot.plan.services[i];
      if (!plan.weights.empty())
        family.real({{"service", snapshot.fleet->services[i].id}}, plan.*metric.value);
    }
  }
  std::string ages;
  Family weights(out, "penstock_backend_weight", "gauge", "Weight in use; 0 gets no new flow.");
  Family age(ages, "penstock_weight_telemetry_age_seconds", "gauge",
             "Age of the telemetry that a backend's weight was decided on.");
  for (const auto& [id, service] : state.services) {
    const auto all = backend_weights(*service, snapshot);
    for (std::size_t i = 0; i < all.size(); ++i) {
      const Family::Labels labels = {{"service", id}, {"backend", service->backends[i].id}};
      weights.sample(labels, all[i].weight);
      if (all[i].planned != nullptr) age.real(labels, all[i].planned->telemetry_age);
    }
  }
  out += ages;
  const bool any = std::any_of(snapshot.plan.services.begin(), snapshot.plan.services.end(),
                               [](const load::ServicePlan& plan) { return !plan.weights.empty(); });
  Family value(out, "penstock_weight_solver_objective", "gauge", "The objective at the last solution.");
  if (any) value.real({}, snapshot.plan.objective_value);
  Family gap(out, "penstock_weight_solver_gap", "gauge", "Proven relative distance to the optimum, at most.");
  if (any) gap.real({}, snapshot.plan.gap);
  Family step(out, "penstock_weight_step_seconds", "gauge",
              "What the last step of the weight loop took: model, solver and law of all services.");
  if (any) step.real({}, snapshot.step_seconds);
  Family parked(out, "penstock_weight_parked_nodes", "gauge",
                "Nodes that an energy policy keeps without new flows.");
  if (any) parked.sample({}, snapshot.plan.parked);
  Family feasible(out, "penstock_weight_solver_feasible", "gauge",
                  "0 when capacities cannot hold the demand.");
  if (any) feasible.sample({}, snapshot.plan.feasible ? 1 : 0);
}

}  // namespace penstock
