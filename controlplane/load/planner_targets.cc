// From what was measured to the share that each backend should have.
#include <algorithm>
#include <cmath>

#include "controlplane/load/planner_state.h"

namespace penstock::load {
namespace {

// A share that is not the solver's to move is given to it as limits this far apart, relatively: sums of such
// shares are 1 up to rounding only.
constexpr double kFixedWidth = 1e-3;
// New flows a second that a service without traffic is solved for, so that it has sensible shares when some
// comes.
constexpr double kLeastDemand = 1e-6;

// 0 where the service's wishes are met: half for another zone, half for the part of wanted labels that
// differs.
double affinity_of(const PlannerService& service, const PlannerNode& node) {
  double cost = !service.zone.empty() && service.zone != node.zone ? 0.5 : 0;
  if (service.labels.empty()) return cost;
  std::size_t wrong = 0;
  for (const auto& [name, value] : service.labels) {
    const auto has = node.labels.find(name);
    wrong += has == node.labels.end() || has->second != value;
  }
  return cost + 0.5 * static_cast<double>(wrong) / static_cast<double>(service.labels.size());
}

// How much a service's latency counts beside that of others of its priority: a transfer or a job that runs
// for minutes is not waited for as a page is.
double urgency_of(WorkloadClass workload) {
  switch (workload) {
    case WorkloadClass::kLatencySensitive:
      return 1;
    case WorkloadClass::kThroughput:
      return 0.3;
    case WorkloadClass::kBatch:
      return 0.1;
  }
  return 1;
}

}  // namespace

// What was measured, into the explanations.
void Planner::State::observe(double now, double elapsed) {
  for (ServicePlan& service : plan.services) {
    double flows = 0;
    for (const PlacementIndex p : service.backends) {
      const PlannerBackend& b = fleet.backends[p];
      Explanation& e = plan.explanations[p];
      const double reported = model.last_report(model_node[b.node]);
      // Rates stand for the middle of their span.
      e.telemetry_age = std::isfinite(reported) ? std::max(now - reported, 0.0) + span[b.node] / 2 : kAbsent;
      e.configured = b.configured_weight;
      e.cost = model.cost(model_placement[p]);
      e.latency = model.latency(model_node[b.node]);
      e.affinity = affinity_of(fleet.services[b.service], fleet.nodes[b.node]);
      e.utilization = kAbsent;
      for (std::size_t k = 0; k < kDimensions; ++k) {
        const double u = utilization(b.node, k);
        if (!(u >= 0) || u <= e.utilization) continue;
        e.utilization = u;
        e.dimension = static_cast<Dimension>(k);
      }
      e.measured_share =
          e.telemetry_age <= settings.law.decay_after ? model.traffic(model_placement[p]).new_flows : 0;
      flows += e.measured_share;
    }
    for (const PlacementIndex p : service.backends) {
      Explanation& e = plan.explanations[p];
      e.measured_share = flows > 0 && std::isfinite(e.telemetry_age) ? e.measured_share / flows : kAbsent;
    }
    const double keep = service.demand > 0 ? std::exp(-elapsed / settings.demand_memory) : 0;
    service.demand = flows + (service.demand - flows) * keep;
  }
}

void Planner::State::classify(ServiceIndex s, double elapsed) {
  ServicePlan& service = plan.services[s];
  if (elapsed > 0) {
    Traffic all;
    for (const PlacementIndex p : service.backends) {
      if (!(plan.explanations[p].telemetry_age <= settings.law.stale_after)) continue;
      const Traffic its = model.traffic(model_placement[p]);
      all.new_flows += its.new_flows;
      all.active_flows += its.active_flows;
      all.bytes += its.bytes;
    }
    classifiers[s].observe(all, elapsed);
  }
  service.workload = classifiers[s].workload();
  service.workload_learned = !classifiers[s].configured();
  service.workload_confidence = classifiers[s].confidence();
}

void Planner::State::run_solver(double now) {
  describe_nodes();
  input.services.clear();
  input.placements.clear();
  position.assign(fleet.backends.size(), kNone);
  held.assign(fleet.backends.size(), false);
  for (ServiceIndex s = 0; s < fleet.services.size(); ++s) describe_service(s);
  park(now);
  const SolverResult result = solve(input);
  plan.objective_value = result.value;
  plan.gap = result.gap();
  plan.feasible = result.feasible;
  for (std::size_t n = 0; n < fleet.nodes.size(); ++n) predicted[n] = input.nodes[n].background;
  for (ServiceIndex s = 0; s < fleet.services.size(); ++s) {
    for (const PlacementIndex p : plan.services[s].backends) {
      plan.explanations[p].target_share = result.share[position[p]];
      // The limits that hold it there are none of the policy's: its state says why.
      plan.explanations[p].binding = held[p] ? Binding::kNothing : result.binding[position[p]];
    }
    predict(s);
  }
  for (std::size_t n = 0; n < fleet.nodes.size(); ++n) {
    for (std::size_t k = 0; k < kDimensions; ++k) predicted[n][k] /= fleet.nodes[n].capacity[k];
  }
  last_solve = now;
}

void Planner::State::describe_nodes() {
  input.nodes.resize(fleet.nodes.size());
  for (std::size_t n = 0; n < fleet.nodes.size(); ++n) {
    const PlannerNode& node = fleet.nodes[n];
    input.nodes[n] = {.background = model.background(model_node[n]),
                      .capacity = node.capacity,
                      .latency = model.latency(model_node[n]),
                      .price_per_hour = node.price_per_hour,
                      .price_per_load_hour = node.price_per_load_hour,
                      .idle_watts = node.idle_watts,
                      .busy_watts = node.busy_watts,
                      .awake = true};
  }
}

void Planner::State::describe_service(ServiceIndex s) {
  const PlannerService& service = fleet.services[s];
  const ServicePlan& its = plan.services[s];
  input.services.push_back({.demand = std::max(its.demand, kLeastDemand),
                            .latency_objective = service.latency_objective,
                            .priority = service.priority * urgency_of(its.workload),
                            .objective = service.objective,
                            .budget_per_hour = service.budget_per_hour,
                            .min_awake = service.min_awake,
                            .first = static_cast<std::uint32_t>(input.placements.size()),
                            .count = static_cast<std::uint32_t>(its.backends.size())});
  double open = 0;        // placements that may take traffic
  double configured = 0;  // of those
  double weights = 0;
  for (const PlacementIndex p : its.backends) {
    weights += plan.explanations[p].weight;
    if (!usable(fleet.backends[p])) continue;
    ++open;
    configured += fleet.backends[p].configured_weight;
  }
  for (const PlacementIndex p : its.backends) {
    const PlannerBackend& b = fleet.backends[p];
    const Explanation& e = plan.explanations[p];
    position[p] = static_cast<PlacementIndex>(input.placements.size());
    double lower = std::min(service.min_share, 1 / open);
    double upper = std::max(service.max_share, 1 / open);
    // What is not the solver's to move is load that it has to know of.
    const bool stale = !(e.telemetry_age <= settings.law.stale_after);
    double fixed = kAbsent;
    if (service.policy == PolicyKind::kStatic) {
      fixed = b.configured_weight / configured;
    } else if ((b.override_weight || stale) && weights > 0) {
      fixed = e.weight / weights;
    }
    if (std::isfinite(fixed)) {
      lower = fixed * (1 - kFixedWidth);
      upper = std::min(1.0, fixed * (1 + kFixedWidth));
    }
    if (!usable(b) && !b.override_weight) lower = upper = 0;
    held[p] = std::isfinite(fixed) || (!usable(b) && !b.override_weight);
    input.placements.push_back({.node = b.node,
                                .per_flow_rate = e.cost.per_flow_rate,
                                .lower = lower,
                                .upper = upper,
                                .affinity = e.affinity});
  }
}

// Nodes are parked for energy alone, and only by a model that knows what flows cost: to one that does not,
// all of them fit on one node.
void Planner::State::park(double now) {
  bool saves = false;
  bool known = true;
  for (ServiceIndex s = 0; s < fleet.services.size(); ++s) {
    if (fleet.services[s].policy == PolicyKind::kStatic || !(fleet.services[s].objective.energy > 0))
      continue;
    saves = true;
    double confidence = 0;
    double share = 0;
    for (const PlacementIndex p : plan.services[s].backends) {
      const Explanation& e = plan.explanations[p];
      if (!(e.measured_share > 0)) continue;
      share += e.measured_share;
      confidence += e.measured_share * e.cost.confidence;
    }
    known = known && share > 0 && confidence >= kTrusted * share;
  }
  if (saves && known) {
    packing.apply(input, now);
  } else {
    packing.wake_all(input);
  }
  plan.parked = packing.parked();
}

bool Planner::State::goes_on(ServiceIndex s) const {
  bool any = false;
  for (const PlacementIndex p : plan.services[s].backends) {
    const PlannerBackend& b = fleet.backends[p];
    if (!usable(b)) continue;
    if (!b.running_weight || *b.running_weight == 0) return false;
    any = true;
  }
  return any;
}

// Targets from solved shares, and the load that they will make.
void Planner::State::predict(ServiceIndex s) {
  const bool runs = goes_on(s);
  const Trust trusted = trust_in_model(runs);
  const auto weight_of = [&](const PlannerBackend& b) {
    return runs ? static_cast<double>(*b.running_weight) : b.configured_weight;
  };
  double weights = 0;
  for (const PlacementIndex p : plan.services[s].backends) {
    if (usable(fleet.backends[p])) weights += weight_of(fleet.backends[p]);
  }
  for (const PlacementIndex p : plan.services[s].backends) {
    const Explanation& e = plan.explanations[p];
    const double trust =
        std::clamp((e.cost.confidence - trusted.from) / (trusted.whole - trusted.from), 0.0, 1.0);
    const double prior = usable(fleet.backends[p]) ? weight_of(fleet.backends[p]) / weights : 0;
    // A parked placement is parked by decision, not by what its cost is thought to be.
    target[p] = e.target_share > 0 ? trust * e.target_share + (1 - trust) * prior : e.target_share;
    for (std::size_t k = 0; k < kDimensions && target[p] > 0; ++k) {
      predicted[fleet.backends[p].node][k] += plan.services[s].demand * target[p] * e.cost.per_flow_rate[k];
    }
  }
}

}  // namespace penstock::load
