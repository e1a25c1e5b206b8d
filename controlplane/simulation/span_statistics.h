// What a placement and a node did since the last report and the last probe.
#pragma once

#include <deque>
#include <utility>
#include <vector>

#include "controlplane/simulation/policy.h"
#include "controlplane/simulation/processor_node.h"

namespace penstock::simulation {

struct PlacementSpan {
  double begun = 0;
  double bytes = 0;
  std::vector<float> latencies;  // of flows that ended
};

struct NodeSpan {
  double report_time = 0, probe_time = 0;
  NodeIntegrals at_report, at_probe;
  double latency_sum = 0, latency_count = 0;            // since the probe
  std::deque<std::pair<double, float>> ended;           // when and after how long, in the agent's window
  std::deque<std::pair<double, NodeIntegrals>> probes;  // in the agent's window, and one before it
  std::vector<PlacementIndex> placements;               // on the node, in the order of its services
};

/// The largest mean of a dimension between two moments; 0 for an empty span.
[[nodiscard]] double bottleneck(const ProcessorNode& node, const NodeIntegrals& from, const NodeIntegrals& to,
                                double seconds);

/// Make the message and begin the next span. The node's clock stands at `now`.
[[nodiscard]] load::NodeReport take_report(NodeIndex index, double now, const ProcessorNode& node,
                                           NodeSpan& span, std::vector<PlacementSpan>& placements);
[[nodiscard]] ProbeReply take_probe(NodeIndex index, double now, const ProcessorNode& node, NodeSpan& span);

}  // namespace penstock::simulation
