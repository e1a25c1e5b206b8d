// What a run showed.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "controlplane/simulation/latency_histogram.h"
#include "controlplane/simulation/scenario.h"

namespace penstock::simulation {

struct ServiceResult {
  LatencyHistogram latency;  // flows that began after the warm-up and ended
  std::uint64_t within_objective = 0;
  std::uint64_t failed = 0;     // lost on a dead node, or nobody could take them; since the warm-up
  LatencyHistogram unfinished;  // ages of flows that began after the warm-up and lived at the end
  std::uint64_t overdue = 0;    // of those: older than the objective
  /// Of flows that ended, failed or are overdue; 1 without an objective (failures still count against it) or
  /// without flows.
  [[nodiscard]] double share_within_objective() const;
};

/// The weights of a service from `time` on, per backend; as set by the policy, or as health changed them.
struct WeightChange {
  double time = 0;
  ServiceIndex service = 0;
  std::vector<std::uint32_t> weights;
};

/// How a value came to rest after an event.
struct Settling {
  double settled_after = 0;  // seconds until it stays within the tolerance of its last value
  double overshoot = 0;      // most excess beyond the last value, over that value; 0: none
  double final_value = 0;
};

struct RunResult {
  std::string scenario, policy;
  std::vector<ServiceResult> services;
  LatencyHistogram latency;  // of all services

  double measure_period = 1;
  double measured_from = 0;  // start of the first row
  std::vector<std::vector<float>>
      utilization;                  // [row][node]: the busiest dimension's; NaN: dead or parked all the time
  std::vector<double> mean_active;  // per node: time average of living flows, since the warm-up

  std::uint64_t flows = 0;        // all that began
  std::uint64_t moved_flows = 0;  // established flows that reached another node than theirs
  std::uint64_t judged_flows = 0;
  std::uint64_t well_placed_by_latency = 0;  // truth there <= 1.05 * truth at the best node
  // In the last row there <= 1.05 * the lowest usable node's:
  std::uint64_t well_placed_by_utilization = 0;
  std::uint64_t well_placed_by_expectation =
      0;                              // what flows that were sent there make on average, and background
  std::vector<std::uint64_t> placed;  // flows per placement
  double money = 0;
  double joules = 0;
  std::vector<WeightChange> weights;
  std::uint64_t events = 0;
  double wall_seconds = 0;

  /// Coefficient of variation over nodes of one row.
  [[nodiscard]] double spread(std::size_t row) const;
  /// Over nodes, of each node's mean over rows [from, to).
  [[nodiscard]] double spread_of_means(std::size_t from, std::size_t to) const;
  [[nodiscard]] double mean_spread() const;
  [[nodiscard]] double worst_spread() const;
  /// Over all nodes and rows.
  [[nodiscard]] double mean_utilization() const;
  [[nodiscard]] double share_within_objective() const;
  /// Of all services. What a policy never finished is no advantage: a flow that lived at the end counts with
  /// its age, one that failed as endless, so that the quantile may be infinite.
  [[nodiscard]] double latency_quantile(double q) const;
  /// A hash of all but wall_seconds: equal for equal scenario, policy and seed.
  [[nodiscard]] std::uint64_t fingerprint() const;
};

/// values[i] holds at times[i] (ascending). The last value is the mean of the last quarter of those after
/// `event`. tolerance is relative to it. If nothing settles, settled_after is the time from the event to the
/// end.
[[nodiscard]] Settling settling(std::span<const double> times, std::span<const double> values, double event,
                                double tolerance);

/// A backend's share of its service's weight at each change.
struct ShareHistory {
  std::vector<double> times, shares;
};
[[nodiscard]] ShareHistory share_history(const RunResult& result, ServiceIndex service,
                                         std::uint32_t backend);

}  // namespace penstock::simulation
