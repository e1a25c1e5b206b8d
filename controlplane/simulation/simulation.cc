// Flows: where they come from, where they go, and when they end. fleet_events.cc has what happens to nodes
// and weights.
#include "controlplane/simulation/simulation.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace penstock::simulation {
namespace {

/// Streams of random numbers, so that none depends on how often another is asked.
enum Stream : std::uint64_t { kArrivals = 1, kSizes, kHashes, kJudging, kPhases, kNoise };
Random stream(std::uint64_t seed, Stream of, std::uint64_t index = 0, std::uint64_t detail = 0) {
  return Random(seed, (std::uint64_t{of} << 56) ^ (detail << 40) ^ index);
}

}  // namespace

RunResult run(const Scenario& scenario, Policy& policy, const HashingFactory& hashing) {
  return Simulation(scenario, policy, hashing).run();
}

Simulation::Simulation(const Scenario& scenario, Policy& policy, const HashingFactory& hashing)
    : scenario_(scenario),
      policy_(policy),
      states_(scenario.nodes.size()),
      node_spans_(scenario.nodes.size()),
      backgrounds_(scenario.nodes.size()),
      hashes_(stream(scenario.seed, kHashes)),
      judging_(stream(scenario.seed, kJudging)),
      ends_(static_cast<std::uint32_t>(scenario.nodes.size())) {
  place_services();
  for (std::uint32_t s = 0; s < scenario_.services.size(); ++s) {
    const Service& service = scenario_.services[s];
    arrivals_.emplace_back(service.arrivals, stream(scenario_.seed, kArrivals, s));
    sizes_.push_back(stream(scenario_.seed, kSizes, s));
    weights_.push_back(service.weights);
    weights_.back().resize(count(s), 1000);
    applied_.emplace_back();
    hashing_.push_back(hashing(weights_.back()));
  }
  gateways_ = std::make_unique<Gateways>(scenario_.gateways, placements_.size());
}

void Simulation::place_services() {
  std::vector<std::vector<PerDimension>> work(scenario_.nodes.size());
  const auto place = [&](ServiceIndex service, NodeIndex node) {
    node_spans_[node].placements.push_back(static_cast<PlacementIndex>(placements_.size()));
    service_on_node_.push_back(static_cast<std::uint32_t>(work[node].size()));
    work[node].push_back(scenario_.services[service].work);
    placements_.push_back({service, node});
  };
  for (std::uint32_t s = 0; s < scenario_.services.size(); ++s) {
    const Service& service = scenario_.services[s];
    first_.push_back(static_cast<PlacementIndex>(placements_.size()));
    for (NodeIndex node : service.nodes) place(s, node);
    for (NodeIndex n = 0; service.nodes.empty() && n < scenario_.nodes.size(); ++n)
      if (bears(scenario_.nodes[n], service.label)) place(s, n);
  }
  first_.push_back(static_cast<PlacementIndex>(placements_.size()));
  placement_spans_.resize(placements_.size());
  for (NodeIndex n = 0; n < scenario_.nodes.size(); ++n)
    nodes_.emplace_back(scenario_.nodes[n], std::move(work[n]));
}

void Simulation::schedule_first() {
  for (std::uint32_t f = 0; f < scenario_.faults.size(); ++f)
    events_.schedule(scenario_.faults[f].time, EventKind::kFault, f);
  Random phases = stream(scenario_.seed, kPhases);
  for (NodeIndex n = 0; n < nodes_.size(); ++n) {
    const Node& node = scenario_.nodes[n];
    for (std::uint32_t b = 0; b < node.background.size(); ++b) {
      backgrounds_[n].emplace_back(node.background[b], stream(scenario_.seed, kNoise, n, b));
      sample_background(n, b);
    }
    const double report_phase = phases.uniform(), probe_phase = phases.uniform();
    if (wants_reports_) events_.schedule(node.telemetry_period * (1 - report_phase), EventKind::kReport, n);
    if (wants_probes_) events_.schedule(node.probe_period * (1 - probe_phase), EventKind::kProbe, n);
  }
  for (std::uint32_t s = 0; s < scenario_.services.size(); ++s) {
    apply_weights(s);
    events_.schedule(arrivals_[s].next(), EventKind::kArrival, s);
  }
  if (period_ > 0) events_.schedule(period_, EventKind::kStep, 0);
  events_.schedule(scenario_.warmup, EventKind::kMeasure, 0);
}

RunResult Simulation::run() {
  const auto begun = std::chrono::steady_clock::now();
  policy_.start(*this);
  period_ = policy_.period();
  wants_reports_ = policy_.wants_reports();
  wants_probes_ = policy_.wants_probes();
  result_.placed.resize(placements_.size());
  placed_at_row_.resize(placements_.size());
  result_.services.resize(scenario_.services.size());
  schedule_first();
  for (;;) {
    const bool end_is_next = ends_.next() < events_.next();
    now_ = std::min(ends_.next(), events_.next());
    if (now_ > scenario_.duration) break;
    ++result_.events;
    if (end_is_next)
      end_flow(ends_.first());
    else
      handle(events_.take());
  }
  now_ = scenario_.duration;
  return finish(std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count());
}

void Simulation::handle(const Event& event) {
  switch (event.kind) {
    case EventKind::kArrival:
      return arrive(event.index);
    case EventKind::kReport:
      return report(event.index);
    case EventKind::kReportArrives:
      policy_.on_report(reports_[event.index], now_);
      free_reports_.push_back(event.index);
      return;
    case EventKind::kProbe:
      return probe(event.index);
    case EventKind::kProbeArrives:
      policy_.on_probe(probes_[event.index], now_);
      free_probes_.push_back(event.index);
      return;
    case EventKind::kStep:
      return step();
    case EventKind::kMeasure:
      return measure();
    case EventKind::kBackground:
      return sample_background(event.index, event.detail);
    case EventKind::kFault:
      return break_something(scenario_.faults[event.index]);
    case EventKind::kHealth:
      states_[event.index].healthy = states_[event.index].alive;
      return apply_weights_of(event.index);
    case EventKind::kAwake:
      // A node that was parked again while it woke stays asleep.
      if (states_[event.index].parked) return;
      states_[event.index].awake = true;
      return apply_weights_of(event.index);
  }
}

void Simulation::arrive(ServiceIndex service) {
  NewFlow flow;
  flow.time = now_;
  flow.hash = hashes_.bits();
  flow.service = service;
  const double given = arrivals_[service].given_size();
  flow.size = given > 0 ? given : scenario_.services[service].size.draw(sizes_[service]);
  events_.schedule(arrivals_[service].next(), EventKind::kArrival, service);
  ++result_.flows;
  flow.gateway = gateways_->reached_by(flow.hash);
  const PlacementIndex placement = flow.gateway == load::kNone ? load::kNone : policy_.choose(flow, *this);
  const bool taken = placement != load::kNone && states_[placements_[placement].node].alive &&
                     !states_[placements_[placement].node].parked;
  if (!taken) {
    if (measured(now_)) ++result_.services[service].failed;
    return;
  }
  if (measured(now_) && judging_.uniform() < scenario_.judged_share) judge(flow, placement);
  begin(flow, placement);
}

void Simulation::begin(const NewFlow& flow, PlacementIndex placement) {
  FlowId id = static_cast<FlowId>(flows_.size());
  if (free_flows_.empty()) {
    flows_.emplace_back();
  } else {
    id = free_flows_.back();
    free_flows_.pop_back();
  }
  flows_[id] = {now_, flow.size, flow.hash, placement, flow.gateway, false};
  gateways_->establish(flow.gateway, flow.hash, placement);
  ++result_.placed[placement];
  placement_spans_[placement].begun += 1;
  placement_spans_[placement].bytes += flow.size * scenario_.services[flow.service].bytes_per_size;
  const NodeIndex node = placements_[placement].node;
  advance(node);
  nodes_[node].add(service_on_node_[placement], id, flow.size);
  changed(node);
}

void Simulation::end_flow(NodeIndex node) {
  advance(node);
  const FlowId id = nodes_[node].end_next();
  changed(node);
  const Flow flow = flows_[id];
  free_flows_.push_back(id);
  const Placement& placement = placements_[flow.placement];
  ServiceResult& service = result_.services[placement.service];
  // The last packet asks the gateway's flow table like every packet.
  const bool moved = !flow.lost && gateways_->find(flow.gateway, flow.hash) != flow.placement;
  gateways_->end(flow.gateway, flow.hash);
  if (moved) ++result_.moved_flows;
  if (moved || flow.lost) {
    if (measured(flow.begin)) ++service.failed;
    return;
  }
  const bool crosses = scenario_.gateways[flow.gateway].zone != scenario_.nodes[node].zone;
  const double latency = now_ - flow.begin + (crosses ? scenario_.cross_zone_latency : 0);
  if (wants_reports_) placement_spans_[flow.placement].latencies.push_back(static_cast<float>(latency));
  node_spans_[node].latency_sum += latency;
  node_spans_[node].latency_count += 1;
  if (wants_probes_) node_spans_[node].ended.emplace_back(now_, static_cast<float>(latency));
  policy_.on_end(flow.placement, flow.gateway, now_, latency);
  if (!measured(flow.begin)) return;
  service.latency.add(latency);
  result_.latency.add(latency);
  const double objective = scenario_.services[placement.service].latency_objective;
  if (objective <= 0 || latency <= objective) ++service.within_objective;
}

void Simulation::judge(const NewFlow& flow, PlacementIndex placement) {
  double quickest = ProcessorNode::kNever, idlest = ProcessorNode::kNever, emptiest = ProcessorNode::kNever;
  const bool has_row = !result_.utilization.empty();
  const auto utilization = [&](PlacementIndex p) { return result_.utilization.back()[placements_[p].node]; };
  const auto expected = [&](PlacementIndex p) { return states_[placements_[p].node].expected; };
  for (PlacementIndex p = first_[flow.service]; p < first_[flow.service + 1]; ++p) {
    if (!usable(p)) continue;
    emptiest = std::min(emptiest, expected(p));
    quickest = std::min(quickest, truth(p, flow.size));
    if (has_row && utilization(p) < idlest) idlest = utilization(p);
  }
  if (!has_row) return;
  ++result_.judged_flows;
  if (truth(placement, flow.size) <= 1.05 * quickest) ++result_.well_placed_by_latency;
  if (utilization(placement) <= 1.05 * idlest) ++result_.well_placed_by_utilization;
  if (expected(placement) <= 1.05 * emptiest) ++result_.well_placed_by_expectation;
}

double Simulation::truth(PlacementIndex placement, double size) const {
  return nodes_[placements_[placement].node].time_of_one_more(service_on_node_[placement], size);
}

bool Simulation::usable(PlacementIndex placement) const {
  const NodeState& state = states_[placements_[placement].node];
  return state.healthy && state.awake;
}

std::uint32_t Simulation::own_flows(std::uint32_t gateway, PlacementIndex placement) const {
  return gateways_->flows(gateway, placement);
}

}  // namespace penstock::simulation
