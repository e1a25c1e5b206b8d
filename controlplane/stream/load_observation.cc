#include "controlplane/stream/load_observation.h"

#include <algorithm>
#include <cmath>

namespace penstock {
namespace {

using load::Dimension;
using load::kAbsent;

constexpr double kMicrosecond = 1e-6;
constexpr double kSensorPeriod = 0.1;  // seconds

double seconds(Nanoseconds time) { return static_cast<double>(time.count()) * 1e-9; }

double age_seconds(std::uint32_t age_ms) { return age_ms * 1e-3; }

std::size_t at(Dimension dimension) { return static_cast<std::size_t>(dimension); }

/// Whether a report that came then still counts.
bool is_fresh(Nanoseconds came, Nanoseconds now) { return now - came <= LoadObservation::kSilence; }

}  // namespace

void LoadObservation::follow(Places places, std::size_t nodes) {
  std::vector<std::map<std::string, Counted>> counted(places.size());
  nodes_.assign(nodes, Node{});
  of_node_.assign(nodes, {});
  agent_seen_.assign(nodes, Nanoseconds{});
  latency_.assign(places.size(), Latency{});
  cpu_.assign(places.size(), {});
  open_.assign(places.size(), {});
  is_counted_.assign(places.size(), false);
  for (const auto& [id, place] : places) {
    of_node_[place.node].push_back(place.placement);
    if (const auto old = places_.find(id); old != places_.end())
      counted[place.placement] = std::move(counted_[old->second.placement]);
  }
  counted_ = std::move(counted);
  places_ = std::move(places);
  seen_.clear();
}

void LoadObservation::put(Measured& into, double value, double time) {
  if (std::isfinite(value) && value >= 0 && time >= into.time) into = {value, time};
}

void LoadObservation::put(SampleWindow& into, double value, double time) {
  if (!std::isfinite(value) || value < 0) return;
  // Sensors are read every 100 ms, and the age that comes with a probe is that of the youngest: told again,
  // it is the same value.
  const bool again = !into.empty() && value == into.last() && time - into.newest() < kSensorPeriod;
  if (!again) into.push(time, value);
}

std::vector<load::NodeReport> LoadObservation::observe(std::span<const GatewayLoads> gateways,
                                                       std::span<const AgentLoad> agents, Nanoseconds now) {
  for (const AgentLoad& agent : agents) {
    if (agent.status == nullptr || agent.node >= nodes_.size()) continue;
    if (agent.at == agent_seen_[agent.node] || !is_fresh(agent.at, now)) continue;
    agent_seen_[agent.node] = agent.at;
    measure(agent);
  }
  for (const GatewayLoads& from : gateways) {
    if (from.services == nullptr || !is_fresh(from.at, now)) continue;
    Nanoseconds& seen = seen_[{from.gateway, from.is_status}];
    if (from.at == seen) continue;
    seen = from.at;
    for (const proto::ServiceStats& service : *from.services) {
      for (const proto::BackendStats& stats : service.backends()) {
        const auto place = places_.find({service.service(), stats.backend()});
        if (place == places_.end()) continue;
        count(from.gateway, from, place->second, stats);
        if (stats.health().has_load()) measure(place->second, stats.health().load(), from.at);
      }
    }
  }
  std::vector<load::NodeReport> out;
  for (load::NodeIndex node = 0; node < nodes_.size(); ++node) {
    load::NodeReport report = report_of(node, now);
    if (report.span > 0) out.push_back(std::move(report));
  }
  return out;
}

void LoadObservation::count(const std::string& gateway, const GatewayLoads& from, const Place& place,
                            const proto::BackendStats& stats) {
  Counted& c = counted_[place.placement][gateway];
  c.at = from.at;
  c.entries = static_cast<double>(stats.flows());
  c.breaker_open = stats.health().breaker() == proto::BREAKER_OPEN;
  const auto new_flows = static_cast<double>(stats.new_flows());
  const auto bytes = static_cast<double>(stats.bytes());
  // Indexes of removed backends are used again, so a counter may fall without a restart.
  const bool fell = !c.new_flows.empty() && (new_flows < c.new_flows.last() || bytes < c.bytes.last());
  if (from.uptime_ns < c.uptime_ns || fell) {
    c.new_flows.clear();
    c.bytes.clear();
  }
  c.uptime_ns = from.uptime_ns;
  c.new_flows.push(seconds(from.at), new_flows);
  c.bytes.push(seconds(from.at), bytes);
}

void LoadObservation::measure(const Place& place, const proto::BackendLoad& load, Nanoseconds came) {
  const double time = seconds(came) - age_seconds(load.age_ms());
  auto& host = nodes_[place.node].host;
  const auto take = [&](Dimension dimension, bool has, double value) {
    if (has) put(host[at(dimension)], value, time);
  };
  take(Dimension::kCpu, load.has_cpu_utilization(), load.cpu_utilization());
  take(Dimension::kMemory, load.has_mem_utilization(), load.mem_utilization());
  take(Dimension::kGpu, load.has_gpu_utilization(), load.gpu_utilization());
  take(Dimension::kGpuMemory, load.has_gpu_mem_utilization(), load.gpu_mem_utilization());
  take(Dimension::kDisk, load.has_disk_utilization(), load.disk_utilization());
  take(Dimension::kNetworkIn, load.has_nic_rx_utilization(), load.nic_rx_utilization());
  take(Dimension::kNetworkOut, load.has_nic_tx_utilization(), load.nic_tx_utilization());
  take(Dimension::kApplication, load.has_application_utilization(), load.application_utilization());
  if (load.has_service_cpu()) put(cpu_[place.placement], load.service_cpu(), time);
  if (load.has_established()) {
    put(open_[place.placement], load.established(), time);
    is_counted_[place.placement] = is_counted_[place.placement] || load.established() > 0;
  }
  Latency& latency = latency_[place.placement];
  if (load.has_response_p50_us()) put(latency.p50, load.response_p50_us() * kMicrosecond, time);
  if (load.has_response_p99_us()) put(latency.p99, load.response_p99_us() * kMicrosecond, time);
}

void LoadObservation::measure(const AgentLoad& agent) {
  Node& node = nodes_[agent.node];
  const proto::NodeLoad& load = agent.status->load();
  const auto take = [&](auto& into, bool has, const proto::Measurement& value, double unit = 1) {
    if (has) put(into, value.value() * unit, seconds(agent.at) - age_seconds(value.age_ms()));
  };
  const auto host = [&](Dimension dimension, bool has, const proto::Measurement& value) {
    take(node.host[at(dimension)], has, value);
  };
  host(Dimension::kCpu, load.has_cpu_utilization(), load.cpu_utilization());
  host(Dimension::kMemory, load.has_mem_utilization(), load.mem_utilization());
  host(Dimension::kGpu, load.has_gpu_utilization(), load.gpu_utilization());
  host(Dimension::kGpuMemory, load.has_gpu_mem_utilization(), load.gpu_mem_utilization());
  host(Dimension::kDisk, load.has_disk_utilization(), load.disk_utilization());
  host(Dimension::kNetworkIn, load.has_nic_rx_utilization(), load.nic_rx_utilization());
  host(Dimension::kNetworkOut, load.has_nic_tx_utilization(), load.nic_tx_utilization());
  host(Dimension::kApplication, load.has_application_utilization(), load.application_utilization());
  const auto label = agent.status->labels().find("cpu");
  node.by_cgroup = label != agent.status->labels().end() && label->second == "cgroup";
  for (const proto::NodeServiceStats& service : agent.status->services()) {
    for (auto place = places_.lower_bound({service.service(), ""});
         place != places_.end() && place->first.first == service.service(); ++place) {
      if (place->second.node != agent.node) continue;
      const proto::ServiceTelemetry& telemetry = service.telemetry();
      Latency& latency = latency_[place->second.placement];
      take(cpu_[place->second.placement], telemetry.has_cpu(), telemetry.cpu());
      take(latency.p50, telemetry.has_response_p50_us(), telemetry.response_p50_us(), kMicrosecond);
      take(latency.p99, telemetry.has_response_p99_us(), telemetry.response_p99_us(), kMicrosecond);
    }
  }
}

/// With span 0 when there is nothing new to tell.
load::NodeReport LoadObservation::report_of(load::NodeIndex index, Nanoseconds now) {
  Node& node = nodes_[index];
  load::NodeReport report;
  report.node = index;
  const double oldest = seconds(now) - seconds(kSilence);
  const auto fresh = [&](const SampleWindow& m) { return !m.empty() && m.newest() >= oldest; };
  // The CPU's moment is the report's: it follows flows the closest.
  for (const load::PlacementIndex placement : of_node_[index]) {
    if (fresh(cpu_[placement])) report.time = std::max(report.time, cpu_[placement].newest());
  }
  for (std::size_t d = at(Dimension::kCpu); d < load::kDimensions && report.time == 0; ++d) {
    if (fresh(node.host[d])) report.time = node.host[d].newest();
  }
  if (report.time < node.reported + kLeastApart) return report;
  const double from = report.time - kWindow;
  for (std::size_t d = 0; d < load::kDimensions; ++d) {
    if (fresh(node.host[d])) report.utilization[d] = node.host[d].mean_since(from);
  }
  double cgroup = kAbsent;
  for (const load::PlacementIndex placement : of_node_[index]) {
    if (fresh(cpu_[placement])) cgroup = std::fmax(cgroup, cpu_[placement].mean_since(from));
  }
  double& cpu = report.utilization[at(Dimension::kCpu)];
  if (std::isfinite(cgroup) && (node.by_cgroup || !(cpu >= cgroup))) cpu = cgroup;
  for (const load::PlacementIndex placement : of_node_[index]) {
    report.placements.push_back(traffic_of(placement, report.time - kWorkAfterFlow, report.span, now));
  }
  if (report.span > 0) node.reported = report.time;
  return report;
}

/// `until`: the end of the window; a gateway that was heard last before it is asked for its last one.
load::PlacementReport LoadObservation::traffic_of(load::PlacementIndex placement, double until, double& span,
                                                  Nanoseconds now) {
  load::PlacementReport out;
  out.placement = placement;
  auto& gateways = counted_[placement];
  std::erase_if(gateways, [&](const auto& gateway) { return !is_fresh(gateway.second.at, now); });
  double entries = 0;
  for (auto& [gateway, c] : gateways) {
    const double to = std::min(until, c.new_flows.newest());
    const double from = std::max(to - kWindow, c.new_flows.oldest());
    if (!(to > from)) continue;
    out.traffic.new_flows += (c.new_flows.at(to) - c.new_flows.at(from)) / (to - from);
    out.traffic.bytes += (c.bytes.at(to) - c.bytes.at(from)) / (to - from);
    entries += c.entries;
    span = std::max(span, to - from);
  }
  const double oldest = seconds(now) - seconds(kSilence);
  const SampleWindow& open = open_[placement];
  const bool told = is_counted_[placement] && open.newest() >= oldest;
  out.traffic.active_flows = told ? open.mean_since(until + kWorkAfterFlow - kWindow) : entries;
  if (latency_[placement].p50.time >= oldest) out.latency_seconds = latency_[placement].p50.value;
  if (latency_[placement].p99.time >= oldest) out.latency_p99_seconds = latency_[placement].p99.value;
  return out;
}

bool LoadObservation::breaker_open(load::PlacementIndex placement) const {
  if (placement >= counted_.size() || counted_[placement].empty()) return false;
  return std::all_of(counted_[placement].begin(), counted_[placement].end(),
                     [](const auto& gateway) { return gateway.second.breaker_open; });
}

}  // namespace penstock
