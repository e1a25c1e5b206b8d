#include "controlplane/load/planner.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "controlplane/load/load_model.h"

namespace penstock::load {
namespace {

// Confidence in a placement's cost from which the solver's share is taken as it is; below, configuration has
// its part. A cold model knows nothing of a node, and a share that minimises nothing is no share.
constexpr double kTrusted = 0.2;
// A share that is not the solver's to move is given to it as limits this far apart, relatively: sums of such
// shares are 1 up to rounding only.
constexpr double kFixedWidth = 1e-3;
// New flows a second that a service without traffic is solved for, so that it has sensible shares when some
// comes.
constexpr double kLeastDemand = 1e-6;

std::string key_of(std::string_view a, std::string_view b, std::string_view c = {}) {
  std::string key;
  key.reserve(a.size() + b.size() + c.size() + 2);
  return key.append(a).append(1, '\0').append(b).append(1, '\0').append(c);
}

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

}  // namespace

struct Planner::State {
  State(PlannerSettings planner_settings, Solve solve_with)
      : settings(planner_settings), solve(std::move(solve_with)) {}

  void keep_nodes();
  void keep_placements();
  void keep_laws(const PlannerFleet& old);
  void observe(double now, double elapsed);
  void run_solver(double now);
  void predict(ServiceIndex service);
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
  std::vector<double> target;                   // by PlacementIndex, of the last solution
  std::vector<PerDimension> predicted;          // by NodeIndex, utilisation at the targets over capacity
  SolverInput input;
  std::vector<PlacementIndex> position;  // of the fleet's placements in the input
  std::vector<LawInput> law_input;
  NodeReport scratch;
  Plan plan;
  double last_step = kAbsent;
  double last_solve = kAbsent;
  bool reshaped = false;  // positions changed since the last step
};

void Planner::State::keep_nodes() {
  std::unordered_set<std::string_view> kept;
  for (const PlannerNode& node : fleet.nodes) kept.insert(node.id);
  std::erase_if(node_ids, [&](const auto& entry) {
    if (kept.contains(entry.first)) return false;
    model.remove_node(entry.second);
    return true;
  });
  std::unordered_map<NodeIndex, double> spans;
  for (std::size_t n = 0; n < model_node.size(); ++n) spans[model_node[n]] = span[n];
  model_node.clear();
  span.clear();
  for (const PlannerNode& node : fleet.nodes) {
    const auto [entry, added] = node_ids.try_emplace(node.id, kNone);
    if (added) entry->second = model.add_node();
    model_node.push_back(entry->second);
    span.push_back(added || !spans.contains(entry->second) ? 0 : spans[entry->second]);
  }
}

void Planner::State::keep_placements() {
  std::unordered_set<std::string> kept;
  const auto key = [this](const PlannerBackend& b) {
    return key_of(fleet.services[b.service].id, b.id, fleet.nodes[b.node].id);
  };
  for (const PlannerBackend& b : fleet.backends) {
    if (planned(b)) kept.insert(key(b));
  }
  std::erase_if(placement_ids, [&](const auto& entry) {
    if (kept.contains(entry.first)) return false;
    model.remove_placement(entry.second);
    return true;
  });
  keep_nodes();
  model_placement.clear();
  for (const PlannerBackend& b : fleet.backends) {
    if (!planned(b)) {
      model_placement.push_back(kNone);
      continue;
    }
    const ServiceIndex fresh = static_cast<ServiceIndex>(service_ids.size());
    const ServiceIndex service = service_ids.try_emplace(fleet.services[b.service].id, fresh).first->second;
    const auto [entry, added] = placement_ids.try_emplace(key(b), kNone);
    if (added) entry->second = model.add_placement(service, model_node[b.node]);
    model_placement.push_back(entry->second);
  }
}

void Planner::State::keep_laws(const PlannerFleet& old) {
  std::unordered_map<std::string_view, std::size_t> services;
  for (std::size_t s = 0; s < old.services.size(); ++s) services[old.services[s].id] = s;
  std::unordered_map<std::string, std::uint32_t> places;  // in the law
  for (const ServicePlan& service : plan.services) {
    for (std::uint32_t i = 0; i < service.backends.size(); ++i) {
      const PlannerBackend& b = old.backends[service.backends[i]];
      places[key_of(old.services[b.service].id, b.id)] = i;
    }
  }
  std::vector<WeightLaw> kept;
  std::vector<ServicePlan> plans(fleet.services.size());
  for (std::size_t s = 0; s < fleet.services.size(); ++s) {
    const auto was = services.find(fleet.services[s].id);
    kept.push_back(was == services.end() ? WeightLaw(settings.law) : std::move(laws[was->second]));
    if (was != services.end()) plans[s].demand = plan.services[was->second].demand;
  }
  for (PlacementIndex p = 0; p < fleet.backends.size(); ++p) {
    if (planned(fleet.backends[p])) plans[fleet.backends[p].service].backends.push_back(p);
  }
  for (std::size_t s = 0; s < plans.size(); ++s) {
    std::vector<std::uint32_t> from;
    for (const PlacementIndex p : plans[s].backends) {
      const auto place = places.find(key_of(fleet.services[s].id, fleet.backends[p].id));
      from.push_back(place == places.end() ? kNone : place->second);
    }
    kept[s].arrange(from);
    kept[s].set_pace(fleet.services[s].deadband, fleet.services[s].slew);
  }
  laws = std::move(kept);
  plan.services = std::move(plans);
}

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

void Planner::State::run_solver(double now) {
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
  input.services.clear();
  input.placements.clear();
  position.assign(fleet.backends.size(), kNone);
  for (std::size_t s = 0; s < fleet.services.size(); ++s) {
    const PlannerService& service = fleet.services[s];
    const ServicePlan& its = plan.services[s];
    input.services.push_back({.demand = std::max(its.demand, kLeastDemand),
                              .latency_objective = service.latency_objective,
                              .priority = service.priority,
                              .objective = service.objective,
                              .budget_per_hour = service.budget_per_hour,
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
      input.placements.push_back({.node = b.node,
                                  .per_flow_rate = e.cost.per_flow_rate,
                                  .lower = lower,
                                  .upper = upper,
                                  .affinity = e.affinity});
    }
  }
  const SolverResult result = solve(input);
  plan.objective_value = result.value;
  plan.gap = result.gap();
  plan.feasible = result.feasible;
  for (std::size_t n = 0; n < fleet.nodes.size(); ++n) predicted[n] = input.nodes[n].background;
  for (std::size_t s = 0; s < fleet.services.size(); ++s) {
    for (const PlacementIndex p : plan.services[s].backends) {
      plan.explanations[p].target_share = result.share[position[p]];
      plan.explanations[p].binding = result.binding[position[p]];
    }
    predict(static_cast<ServiceIndex>(s));
  }
  for (std::size_t n = 0; n < fleet.nodes.size(); ++n) {
    for (std::size_t k = 0; k < kDimensions; ++k) predicted[n][k] /= fleet.nodes[n].capacity[k];
  }
  last_solve = now;
}

// Targets from solved shares, and the load that they will make.
void Planner::State::predict(ServiceIndex s) {
  double configured = 0;
  for (const PlacementIndex p : plan.services[s].backends) {
    if (usable(fleet.backends[p])) configured += fleet.backends[p].configured_weight;
  }
  for (const PlacementIndex p : plan.services[s].backends) {
    const Explanation& e = plan.explanations[p];
    const double trust = std::min(1.0, e.cost.confidence / kTrusted);
    const double prior = usable(fleet.backends[p]) ? fleet.backends[p].configured_weight / configured : 0;
    // A parked placement is parked by decision, not by what its cost is thought to be.
    target[p] = e.target_share > 0 ? trust * e.target_share + (1 - trust) * prior : e.target_share;
    for (std::size_t k = 0; k < kDimensions && target[p] > 0; ++k) {
      predicted[fleet.backends[p].node][k] += plan.services[s].demand * target[p] * e.cost.per_flow_rate[k];
    }
  }
}

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
    in.utilization = modelled && e.cost.confidence < kTrusted ? kAbsent : e.utilization;
    if (modelled && e.predicted_utilization > 0) {
      in.expected = e.predicted_utilization;
      const double own =
          service.demand * target[p] * e.cost.per_flow_rate[k] / fleet.nodes[b.node].capacity[k];
      in.elasticity = own / e.predicted_utilization;
    }
    in.measured_share = e.measured_share;
    in.age = e.telemetry_age;
    in.configured = b.configured_weight;
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
  s.observe(now, elapsed);
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
