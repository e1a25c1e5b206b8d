#include "controlplane/load/load_model.h"

#include <algorithm>
#include <cmath>

#include "controlplane/load/latency_estimate.h"
#include "controlplane/load/node_estimate.h"
#include "controlplane/load/traffic_mix.h"

namespace penstock::load {

namespace {

constexpr double kServiceGain = 0.05;        // of a service's average over its placements
constexpr double kTeachingConfidence = 0.3;  // below it, a placement knows no better than its prior
constexpr std::uint64_t kTeachEvery = 16;    // reports of a node
constexpr double kStandingGain = 0.1;        // of load that stands beside what new flows cost, per report

bool usable(double value) { return std::isfinite(value) && value >= 0; }

}  // namespace

struct LoadModel::Node {
  explicit Node(const ModelSettings& settings) : estimate(settings), latency(settings) {
    utilization.fill(kAbsent);
  }

  NodeEstimate estimate;
  LatencyEstimate latency;
  std::vector<PlacementIndex> placements;  // in the order of estimate's
  std::vector<Traffic> traffic;            // of the report at hand, in the same order
  PerDimension utilization;
  PerDimension standing{};  // what traffic makes beyond its new flows' costs, smoothed; below 0 too
  double last = -std::numeric_limits<double>::infinity();
  std::uint64_t reports = 0;
  bool was_full = false;  // at the report before
};

struct LoadModel::Placement {
  ServiceIndex service = kNone;
  NodeIndex node = kNone;    // kNone: free
  std::uint32_t slot = 0;    // in the node's lists
  std::uint64_t report = 0;  // the last that named it
  Traffic traffic;
  double served = 0;  // flows that ended in a second of the last report's span
  bool said = false;  // some report has named it
  TrafficMix mix;
};

struct LoadModel::Service {
  PerDimension configured{};
  UnitCosts average = UnitCosts::Zero();
  std::uint32_t measured = 0;  // bit per dimension: some node that carries it measures this
  bool is_configured = false;
  TrafficMix mix;

  [[nodiscard]] bool known() const { return measured != 0 || is_configured; }

  /// What a new placement starts with.
  [[nodiscard]] UnitCosts prior() const {
    UnitCosts prior = average;
    for (std::size_t k = 0; k < kDimensions; ++k) {
      if ((measured >> k & 1) == 0) prior(0, static_cast<Eigen::Index>(k)) = configured[k];
    }
    return prior;
  }
};

const char* name_of(ReportOutcome outcome) {
  static constexpr std::array<const char*, kReportOutcomes> kNames = {
#define PENSTOCK_X(name, text) text,
      PENSTOCK_REPORT_OUTCOMES(PENSTOCK_X)
#undef PENSTOCK_X
  };
  return kNames[static_cast<std::size_t>(outcome)];
}

LoadModel::LoadModel(ModelSettings settings) : settings_(settings) {}
LoadModel::~LoadModel() = default;
LoadModel::LoadModel(LoadModel&&) noexcept = default;
LoadModel& LoadModel::operator=(LoadModel&&) noexcept = default;

const LoadModel::Node* LoadModel::node_at(NodeIndex node) const {
  return node < nodes_.size() ? nodes_[node].get() : nullptr;
}

const LoadModel::Placement* LoadModel::placement_at(PlacementIndex placement) const {
  return placement < placements_.size() && placements_[placement].node != kNone ? &placements_[placement]
                                                                                : nullptr;
}

LoadModel::Service& LoadModel::service_at(ServiceIndex service) {
  if (service >= services_.size()) services_.resize(service + 1);
  if (!services_[service]) services_[service] = std::make_unique<Service>();
  return *services_[service];
}

NodeIndex LoadModel::add_node() {
  auto node = std::make_unique<Node>(settings_);
  if (free_nodes_.empty()) {
    nodes_.push_back(std::move(node));
    return static_cast<NodeIndex>(nodes_.size() - 1);
  }
  const NodeIndex index = free_nodes_.back();
  free_nodes_.pop_back();
  nodes_[index] = std::move(node);
  return index;
}

void LoadModel::remove_node(NodeIndex node) {
  if (node_at(node) == nullptr) return;
  while (!nodes_[node]->placements.empty()) remove_placement(nodes_[node]->placements.back());
  nodes_[node].reset();
  free_nodes_.push_back(node);
}

PlacementIndex LoadModel::add_placement(ServiceIndex service, NodeIndex node) {
  if (node_at(node) == nullptr || service == kNone) return kNone;
  PlacementIndex index;
  if (free_placements_.empty()) {
    index = static_cast<PlacementIndex>(placements_.size());
    placements_.emplace_back();
  } else {
    index = free_placements_.back();
    free_placements_.pop_back();
  }
  Node& on = *nodes_[node];
  const Service& of = service_at(service);
  Placement& placement = placements_[index];
  placement.service = service;
  placement.node = node;
  placement.slot = static_cast<std::uint32_t>(on.placements.size());
  placement.mix = of.mix;
  on.placements.push_back(index);
  on.traffic.emplace_back();
  on.estimate.add(of.prior(), of.known());
  return index;
}

void LoadModel::remove_placement(PlacementIndex placement) {
  if (placement_at(placement) == nullptr) return;
  Placement& gone = placements_[placement];
  Node& on = *nodes_[gone.node];
  on.estimate.remove(gone.slot);
  on.placements.erase(on.placements.begin() + gone.slot);
  on.traffic.pop_back();
  for (std::uint32_t slot = gone.slot; slot < on.placements.size(); ++slot)
    placements_[on.placements[slot]].slot = slot;
  gone = {};
  free_placements_.push_back(placement);
}

void LoadModel::configure_cost(ServiceIndex service, const PerDimension& per_flow_rate) {
  Service& of = service_at(service);
  of.is_configured = false;
  for (std::size_t k = 0; k < kDimensions; ++k) {
    of.configured[k] = usable(per_flow_rate[k]) ? per_flow_rate[k] : 0;
    of.is_configured |= of.configured[k] > 0;
  }
  for (const Placement& placement : placements_) {
    if (placement.node == kNone || placement.service != service) continue;
    nodes_[placement.node]->estimate.set_prior(placement.slot, of.prior(), of.known());
  }
}

ReportOutcome LoadModel::learn(const NodeReport& report, double now) {
  ++report_;
  ReportOutcome outcome = refuse(report, now);
  if (accepted(outcome)) outcome = take(report);
  ++counts_[static_cast<std::size_t>(outcome)];
  return outcome;
}

/// kLearned: nothing speaks against it. Nothing but marks has changed.
ReportOutcome LoadModel::refuse(const NodeReport& report, double now) {
  if (node_at(report.node) == nullptr) return ReportOutcome::kUnknownNode;
  if (!std::isfinite(report.time) || !std::isfinite(report.span)) return ReportOutcome::kNotANumber;
  if (report.span <= 0 || report.span > settings_.most_span) return ReportOutcome::kOutOfRange;
  if (report.time > now + settings_.future_tolerance) return ReportOutcome::kFuture;
  const double last = nodes_[report.node]->last;
  if (report.time == last) return ReportOutcome::kDuplicate;
  if (report.time < last) return ReportOutcome::kStale;

  std::size_t absent = 0;
  for (const double utilization : report.utilization) {
    absent += std::isnan(utilization);
    if (std::isinf(utilization)) return ReportOutcome::kNotANumber;
    if (utilization < 0 || utilization > settings_.most_utilization) return ReportOutcome::kOutOfRange;
  }
  for (const PlacementReport& placement : report.placements) {
    const ReportOutcome outcome = refuse_placement(placement, report.node);
    if (outcome != ReportOutcome::kLearned) return outcome;
  }
  return absent == kDimensions ? ReportOutcome::kEmpty : ReportOutcome::kLearned;
}

ReportOutcome LoadModel::refuse_placement(const PlacementReport& report, NodeIndex node) {
  const Placement* placement = placement_at(report.placement);
  if (placement == nullptr || placement->node != node) return ReportOutcome::kUnknownPlacement;
  if (placement->report == report_) return ReportOutcome::kRepeatedPlacement;
  placements_[report.placement].report = report_;
  const Traffic& traffic = report.traffic;
  for (const double value : units_of(traffic)) {
    if (!std::isfinite(value)) return ReportOutcome::kNotANumber;
    if (value < 0) return ReportOutcome::kOutOfRange;
  }
  if (traffic.new_flows > settings_.most_new_flows || traffic.active_flows > settings_.most_active_flows ||
      traffic.bytes > settings_.most_bytes) {
    return ReportOutcome::kOutOfRange;
  }
  for (const double latency : {report.latency_seconds, report.latency_p99_seconds}) {
    if (std::isinf(latency)) return ReportOutcome::kNotANumber;
    if (latency < 0 || latency > settings_.most_latency) return ReportOutcome::kOutOfRange;
  }
  return ReportOutcome::kLearned;
}

ReportOutcome LoadModel::take(const NodeReport& report) {
  Node& node = *nodes_[report.node];
  const double since = report.time - node.last;  // not the span: windows of reports may overlap
  node.last = report.time;
  node.utilization = report.utilization;
  double busiest = 0;
  for (const double utilization : report.utilization) busiest = std::fmax(busiest, utilization);
  const bool full = busiest >= settings_.full;
  for (const PlacementReport& said : report.placements) {
    Placement& placement = placements_[said.placement];
    // The node worked for the flows that ended. While it is overloaded those are fewer than began, and after
    // that more: against flows that began, work put off would look like a change of cost.
    const double gained =
        placement.said ? (said.traffic.active_flows - placement.traffic.active_flows) / since : 0;
    placement.served = std::clamp(said.traffic.new_flows - gained, 0.0, settings_.most_new_flows);
    placement.said = true;
    placement.traffic = said.traffic;
    if (full && placement.mix.known()) continue;  // who stays in a queue says little of the traffic
    placement.mix.add(said.traffic, report.span);
    services_[placement.service]->mix.add(said.traffic, report.span);
  }
  bool complete = true;
  for (std::size_t slot = 0; slot < node.placements.size(); ++slot) {
    const Placement& placement = placements_[node.placements[slot]];
    node.traffic[slot] = placement.traffic;
    node.traffic[slot].new_flows = placement.served;
    // On a full node flows wait: they are a queue, and not what the node works for.
    if (full && placement.mix.known()) {
      node.traffic[slot].active_flows =
          std::min(placement.traffic.active_flows, placement.served * placement.mix.residence());
    }
    complete &= placement.report == report_ || is_idle(placement.traffic);
  }
  // On a full node latency tells how long it has been full, and so do the flows that it still had then.
  if (!(full || node.was_full) || node.latency.curve().confidence == 0) learn_latency(node, report);
  node.was_full = full;
  if (!complete) return ReportOutcome::kPartial;
  node.estimate.learn(node.traffic, report.utilization);
  learn_standing(node, report.utilization);
  if (++node.reports % kTeachEvery == 0) teach_services(node);
  return ReportOutcome::kLearned;
}

/// The node's latency is that of its new flows: placements count by how many they took. The tail where it is
/// measured, for that is what objectives are about.
void LoadModel::learn_latency(Node& node, const NodeReport& report) {
  double weight = 0;
  double latency = 0;
  for (const PlacementReport& said : report.placements) {
    const double seconds =
        std::isnan(said.latency_p99_seconds) ? said.latency_seconds : said.latency_p99_seconds;
    if (std::isnan(seconds)) continue;
    weight += said.traffic.new_flows;
    latency += said.traffic.new_flows * seconds;
  }
  if (!(weight > 0)) return;
  double rho = 0;
  for (const double utilization : report.utilization) rho = std::fmax(rho, utilization);
  node.latency.learn(rho, latency / weight);
}

/// Costs are told per new flow, at the mix that usually comes with one. A service whose flows only stand
/// there has none, and what its traffic is thought to make cannot be told apart from the background: left
/// out, one would be a load that nobody sees, the other a background that is too high by as much.
void LoadModel::learn_standing(Node& node, const PerDimension& measured) {
  PerDimension standing = node.estimate.carried();
  for (std::size_t slot = 0; slot < node.placements.size(); ++slot) {
    const double flows = node.traffic[slot].new_flows;
    if (!(flows > 0)) continue;
    const UnitCost told = cost(node.placements[slot]);
    for (std::size_t k = 0; k < kDimensions; ++k) standing[k] -= flows * told.per_flow_rate[k];
  }
  for (std::size_t k = 0; k < kDimensions; ++k) {
    if (!std::isnan(measured[k])) node.standing[k] += kStandingGain * (standing[k] - node.standing[k]);
  }
}

void LoadModel::teach_services(const Node& node) {
  for (std::size_t slot = 0; slot < node.placements.size(); ++slot) {
    const Placement& placement = placements_[node.placements[slot]];
    const double confidence = node.estimate.confidence(slot, placement.mix.per_flow());
    if (confidence < kTeachingConfidence) continue;
    Service& service = *services_[placement.service];
    const UnitCosts costs = node.estimate.costs(slot);
    for (std::size_t k = 0; k < kDimensions; ++k) {
      if (!node.estimate.measured(k)) continue;
      const auto column = static_cast<Eigen::Index>(k);
      const double gain = (service.measured >> k & 1) != 0 ? kServiceGain * confidence : 1;
      service.average.col(column) += gain * (costs.col(column) - service.average.col(column));
      service.measured |= 1U << k;
    }
  }
}

UnitCost LoadModel::cost(PlacementIndex placement) const {
  UnitCost cost;
  const Placement* of = placement_at(placement);
  if (of == nullptr) return cost;
  const NodeEstimate& estimate = nodes_[of->node]->estimate;
  const Traffic mix = of->mix.per_flow();
  const UnitVector units = units_of(mix);
  const UnitCosts costs = estimate.costs(of->slot);
  for (std::size_t k = 0; k < kDimensions; ++k) {
    for (std::size_t u = 0; u < kTrafficUnits; ++u) {
      cost.per_flow_rate[k] += units[u] * costs(static_cast<Eigen::Index>(u), static_cast<Eigen::Index>(k));
    }
    cost.per_flow_rate[k] = std::max(0.0, cost.per_flow_rate[k]);
  }
  cost.confidence = estimate.confidence(of->slot, mix);
  return cost;
}

LatencyCurve LoadModel::latency(NodeIndex node) const {
  const Node* at = node_at(node);
  return at == nullptr ? LatencyCurve{} : at->latency.curve();
}

PerDimension LoadModel::background(NodeIndex node) const {
  const Node* at = node_at(node);
  if (at == nullptr) return {};
  PerDimension background = at->estimate.background();
  for (std::size_t k = 0; k < kDimensions; ++k)
    background[k] = std::max(0.0, background[k] + at->standing[k]);
  return background;
}

PerDimension LoadModel::utilization(NodeIndex node) const {
  static constexpr PerDimension kNothing = NodeReport{}.utilization;
  const Node* at = node_at(node);
  return at == nullptr ? kNothing : at->utilization;
}

double LoadModel::last_report(NodeIndex node) const {
  const Node* at = node_at(node);
  return at == nullptr ? -std::numeric_limits<double>::infinity() : at->last;
}

Traffic LoadModel::traffic(PlacementIndex placement) const {
  const Placement* at = placement_at(placement);
  return at == nullptr ? Traffic{} : at->traffic;
}

double LoadModel::largest_variance(NodeIndex node) const {
  const Node* at = node_at(node);
  return at == nullptr ? 0 : at->estimate.largest_variance();
}

}  // namespace penstock::load
