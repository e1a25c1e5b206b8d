#include "controlplane/simulation/span_statistics.h"

#include <algorithm>

namespace penstock::simulation {
namespace {

/// Reorders the values. NaN if there are none.
double quantile(std::vector<float>& values, double q) {
  if (values.empty()) return load::kAbsent;
  const auto at = static_cast<std::ptrdiff_t>(q * static_cast<double>(values.size() - 1) + 0.5);
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return values[static_cast<std::size_t>(at)];
}

}  // namespace

double bottleneck(const ProcessorNode& node, const NodeIntegrals& from, const NodeIntegrals& to,
                  double seconds) {
  double most = 0;
  if (seconds <= 0) return most;
  for (std::size_t k : node.dimensions()) most = std::max(most, (to.used[k] - from.used[k]) / seconds);
  return most;
}

load::NodeReport take_report(NodeIndex index, double now, const ProcessorNode& node, NodeSpan& span,
                             std::vector<PlacementSpan>& placements) {
  load::NodeReport report;
  report.node = index;
  report.time = now;
  report.span = now - span.report_time;
  for (std::size_t k : node.dimensions())
    report.utilization[k] = (node.integrals().used[k] - span.at_report.used[k]) / report.span;
  report.placements.reserve(span.placements.size());
  for (std::uint32_t service = 0; service < span.placements.size(); ++service) {
    PlacementSpan& own = placements[span.placements[service]];
    load::PlacementReport& said = report.placements.emplace_back();
    said.placement = span.placements[service];
    said.traffic = {.new_flows = own.begun / report.span,
                    .active_flows = static_cast<double>(node.active(service)),
                    .bytes = own.bytes / report.span};
    said.latency_seconds = quantile(own.latencies, 0.5);
    said.latency_p99_seconds = quantile(own.latencies, 0.99);
    own.begun = own.bytes = 0;
    own.latencies.clear();
  }
  span.report_time = now;
  span.at_report = node.integrals();
  return report;
}

ProbeReply take_probe(NodeIndex index, double now, const ProcessorNode& node, NodeSpan& span) {
  ProbeReply reply;
  reply.node = index;
  reply.time = now;
  reply.active_flows = node.active();
  reply.utilization = bottleneck(node, span.at_probe, node.integrals(), now - span.probe_time);
  reply.latency_seconds = span.latency_count > 0 ? span.latency_sum / span.latency_count : load::kAbsent;
  span.latency_sum = span.latency_count = 0;
  while (!span.ended.empty() && span.ended.front().first < now - kAgentWindow) span.ended.pop_front();
  std::vector<float> latencies;
  latencies.reserve(span.ended.size());
  for (const auto& [time, latency] : span.ended) latencies.push_back(latency);
  reply.latency_p99_seconds = quantile(latencies, 0.99);
  while (span.probes.size() > 1 && span.probes[1].first <= now - kAgentWindow) span.probes.pop_front();
  reply.window_utilization =
      span.probes.empty()
          ? reply.utilization
          : bottleneck(node, span.probes.front().second, node.integrals(), now - span.probes.front().first);
  span.probes.emplace_back(now, node.integrals());
  span.probe_time = now;
  span.at_probe = node.integrals();
  return reply;
}

}  // namespace penstock::simulation
