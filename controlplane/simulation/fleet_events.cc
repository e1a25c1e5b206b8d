// What happens to nodes, gateways and weights, and what is written down of it.
#include <algorithm>
#include <cmath>
#include <utility>

#include "controlplane/simulation/simulation.h"

namespace penstock::simulation {
namespace {

/// A place for a message on its way.
template <class Message>
std::uint32_t keep(std::vector<Message>& messages, std::vector<std::uint32_t>& free, Message message) {
  if (free.empty()) {
    messages.push_back(std::move(message));
    return static_cast<std::uint32_t>(messages.size() - 1);
  }
  const std::uint32_t at = free.back();
  free.pop_back();
  messages[at] = std::move(message);
  return at;
}

}  // namespace

void Simulation::changed(NodeIndex node) {
  const NodeState& state = states_[node];
  nodes_[node].set_powered(state.alive && !(state.parked && nodes_[node].active() == 0));
  ends_.set(node, nodes_[node].next_end());
}

void Simulation::report(NodeIndex node) {
  const Node& from = scenario_.nodes[node];
  events_.schedule(now_ + from.telemetry_period, EventKind::kReport, node);
  if (!states_[node].alive) return;
  advance(node);
  const std::uint32_t at = keep(reports_, free_reports_,
                                take_report(node, now_, nodes_[node], node_spans_[node], placement_spans_));
  events_.schedule(now_ + from.telemetry_delay, EventKind::kReportArrives, at);
}

void Simulation::probe(NodeIndex node) {
  const Node& from = scenario_.nodes[node];
  events_.schedule(now_ + from.probe_period, EventKind::kProbe, node);
  if (!states_[node].alive) return;
  advance(node);
  const std::uint32_t at =
      keep(probes_, free_probes_, take_probe(node, now_, nodes_[node], node_spans_[node]));
  events_.schedule(now_ + from.probe_delay, EventKind::kProbeArrives, at);
}

void Simulation::step() {
  events_.schedule(now_ + period_, EventKind::kStep, 0);
  policy_.step(now_, *this);
}

void Simulation::set_weights(ServiceIndex service, std::span<const std::uint32_t> weights) {
  if (std::equal(weights.begin(), weights.end(), weights_[service].begin(), weights_[service].end())) return;
  weights_[service].assign(weights.begin(), weights.end());
  apply_weights(service);
}

void Simulation::apply_weights(ServiceIndex service) {
  std::vector<std::uint32_t> weights = weights_[service];
  for (std::uint32_t i = 0; i < weights.size(); ++i)
    if (!usable(first_[service] + i)) weights[i] = 0;
  if (weights == applied_[service]) return;
  hashing_[service]->update(weights);
  if (scenario_.record_weights) result_.weights.push_back({now_, service, weights});
  applied_[service] = std::move(weights);
}

void Simulation::apply_weights_of(NodeIndex node) {
  for (PlacementIndex placement : node_spans_[node].placements) apply_weights(placements_[placement].service);
}

void Simulation::park(NodeIndex node) {
  NodeState& state = states_[node];
  if (state.parked) return;
  advance(node);
  state.parked = true;
  state.awake = false;
  changed(node);
  apply_weights_of(node);
}

void Simulation::wake(NodeIndex node) {
  NodeState& state = states_[node];
  if (!state.parked) return;
  advance(node);
  state.parked = false;
  changed(node);
  events_.schedule(now_ + scenario_.nodes[node].wake_time, EventKind::kAwake, node);
}

void Simulation::sample_background(NodeIndex node, std::uint32_t which) {
  BackgroundLoad& load = backgrounds_[node][which];
  advance(node);
  nodes_[node].set_background(scenario_.nodes[node].background[which].dimension, load.sample(now_));
  changed(node);
  if (const double next = load.next(now_); next < ProcessorNode::kNever)
    events_.schedule(next, EventKind::kBackground, node, which);
}

void Simulation::break_something(const Fault& fault) {
  switch (fault.kind) {
    case FaultKind::kCapacity:
      advance(fault.index);
      nodes_[fault.index].set_capacity(fault.dimension, fault.factor);
      return changed(fault.index);
    case FaultKind::kNodeDown:
      return kill_node(fault.index);
    case FaultKind::kNodeUp:
      advance(fault.index);
      states_[fault.index].alive = true;
      changed(fault.index);
      return events_.schedule(now_ + scenario_.health_delay, EventKind::kHealth, fault.index);
    case FaultKind::kGatewayDown:
      return kill_gateway(fault.index);
    case FaultKind::kGatewayUp:
      return gateways_->set_alive(fault.index, true);
  }
}

void Simulation::kill_node(NodeIndex node) {
  advance(node);
  states_[node].alive = false;
  for (FlowId id : nodes_[node].clear()) {
    const Flow& flow = flows_[id];
    gateways_->end(flow.gateway, flow.hash);
    if (measured(flow.begin)) ++result_.services[placements_[flow.placement].service].failed;
    free_flows_.push_back(id);
  }
  changed(node);
  events_.schedule(now_ + scenario_.health_delay, EventKind::kHealth, node);
}

// Its flows reach other gateways. Those that know them keep them; others take them for new flows, and hash.
void Simulation::kill_gateway(std::uint32_t gateway) {
  gateways_->set_alive(gateway, false);
  for (Flow& flow : flows_) {
    if (flow.gateway != gateway || gateways_->find(gateway, flow.hash) == load::kNone) continue;
    gateways_->end(gateway, flow.hash);
    const ServiceIndex service = placements_[flow.placement].service;
    const std::uint32_t next = gateways_->reached_by(flow.hash);
    if (next == load::kNone) {
      flow.lost = true;
      continue;
    }
    flow.gateway = next;
    const std::uint32_t hashed =
        scenario_.flow_sync ? flow.placement - first_[service] : hashing_[service]->pick(flow.hash);
    if (hashed == flow.placement - first_[service]) {
      gateways_->establish(next, flow.hash, flow.placement);
    } else {
      flow.lost = true;
      ++result_.moved_flows;
    }
  }
}

void Simulation::measure() {
  if (now_ > scenario_.warmup) {
    close_row();
  } else {
    for (NodeIndex n = 0; n < nodes_.size(); ++n) {
      advance(n);
      states_[n].at_row = states_[n].at_start = nodes_[n].integrals();
    }
    placed_at_row_ = result_.placed;
  }
  const auto rows = static_cast<double>(result_.utilization.size() + 1);
  events_.schedule(scenario_.warmup + rows * scenario_.measure_period, EventKind::kMeasure, 0);
}

void Simulation::close_row() {
  std::vector<float> row(nodes_.size());
  for (NodeIndex n = 0; n < nodes_.size(); ++n) {
    advance(n);
    const Node& node = scenario_.nodes[n];
    const NodeIntegrals& total = nodes_[n].integrals();
    const double powered = total.powered - states_[n].at_row.powered;
    const double off = std::max(scenario_.measure_period - powered, 0.0);
    const double used = bottleneck(nodes_[n], states_[n].at_row, total, powered);
    row[n] = powered > 0 ? static_cast<float>(used) : static_cast<float>(load::kAbsent);
    result_.joules += off * node.parked_watts +
                      powered * (node.idle_watts + node.busy_watts * std::pow(used, node.power_exponent));
    result_.money += powered / 3600 * (node.price_per_hour + node.price_per_load_hour * used);
    states_[n].expected = expected_utilization(n);
    states_[n].at_row = total;
  }
  placed_at_row_ = result_.placed;
  result_.utilization.push_back(std::move(row));
}

double Simulation::expected_utilization(NodeIndex node) const {
  double most = 0;
  for (std::size_t k : nodes_[node].dimensions()) {
    if (is_occupancy(static_cast<Dimension>(k))) continue;
    double work = 0;
    for (PlacementIndex p : node_spans_[node].placements) {
      const Service& service = scenario_.services[placements_[p].service];
      const auto flows = static_cast<double>(result_.placed[p] - placed_at_row_[p]);
      work += flows / scenario_.measure_period * service.average_size() * service.work[k];
    }
    const double background = (nodes_[node].integrals().background[k] - states_[node].at_row.background[k]) /
                              scenario_.measure_period;
    most = std::max(most, background + work / nodes_[node].capacity(k));
  }
  return most;
}

void Simulation::count_unfinished() {
  std::vector<bool> ended(flows_.size());
  for (const FlowId id : free_flows_) ended[id] = true;
  for (FlowId id = 0; id < flows_.size(); ++id) {
    const Flow& flow = flows_[id];
    if (ended[id] || !measured(flow.begin)) continue;
    const ServiceIndex s = placements_[flow.placement].service;
    ServiceResult& service = result_.services[s];
    if (flow.lost) {
      ++service.failed;
      continue;
    }
    const double age = now_ - flow.begin, objective = scenario_.services[s].latency_objective;
    service.unfinished.add(age);
    service.overdue += objective > 0 && age > objective;
  }
}

RunResult Simulation::finish(double wall_seconds) {
  count_unfinished();
  const double seconds = scenario_.duration - scenario_.warmup;
  for (NodeIndex n = 0; n < nodes_.size(); ++n) {
    advance(n);
    result_.mean_active.push_back(
        seconds > 0 ? (nodes_[n].integrals().active - states_[n].at_start.active) / seconds : 0);
  }
  result_.scenario = scenario_.name;
  result_.policy = policy_.name();
  result_.measure_period = scenario_.measure_period;
  result_.measured_from = scenario_.warmup;
  result_.wall_seconds = wall_seconds;
  return std::move(result_);
}

}  // namespace penstock::simulation
