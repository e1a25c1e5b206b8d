// What load model, solver and law speak of. Plain values, no thread, no clock: times are seconds on whatever clock
// the caller keeps (monotonic in production, simulated in the simulator). Fractions are 0–1, never percent.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

namespace penstock::load {

/// What a node can run out of. Names in documents follow ORCA: see name_of().
enum class Dimension : std::uint8_t { kCpu, kMemory, kGpu, kGpuMemory, kDisk, kNetworkIn, kNetworkOut, kApplication };
inline constexpr std::size_t kDimensions = 8;

/// One value per dimension; what a missing sensor would have said is NaN, never zero.
using PerDimension = std::array<double, kDimensions>;
inline constexpr double kAbsent = std::numeric_limits<double>::quiet_NaN();

/// "cpu_utilization", "mem_utilization", "gpu_utilization", "gpu_mem_utilization", "disk_utilization",
/// "nic_rx_utilization", "nic_tx_utilization", "application_utilization". Static storage.
[[nodiscard]] const char* name_of(Dimension dimension);

/// Indices into the caller's tables of nodes, services and placements (a service's backend on a node).
using NodeIndex = std::uint32_t;
using ServiceIndex = std::uint32_t;
using PlacementIndex = std::uint32_t;
inline constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

/// What a placement carried in the span of a report.
struct Traffic {
  double new_flows = 0;     // per second
  double active_flows = 0;  // at the report's time
  double bytes = 0;         // per second, client to backend
};
inline constexpr std::size_t kTrafficUnits = 3;

/// A service's backend on the node of a report.
struct PlacementReport {
  PlacementIndex placement = kNone;
  Traffic traffic;
  double latency_seconds = kAbsent;      // median time to a response's first byte
  double latency_p99_seconds = kAbsent;
};

/// What one node said, or was seen to do, over a span.
struct NodeReport {
  NodeIndex node = kNone;
  double time = 0;  // seconds, when it was measured
  double span = 0;  // seconds that rates were taken over; > 0
  PerDimension utilization{kAbsent, kAbsent, kAbsent, kAbsent, kAbsent, kAbsent, kAbsent, kAbsent};
  std::vector<PlacementReport> placements;
};

/// What the model says of a placement: utilisation of its node per new flow a second, in each dimension.
struct UnitCost {
  PerDimension per_flow_rate{};  // >= 0; 0 for dimensions that nobody measures
  double confidence = 0;         // 0 (configuration only) to 1 (many varied reports)
};

/// Latency against the utilisation of the node's busiest dimension: base + queue * rho / (1 - rho), rho cut at
/// kMostRho; both in seconds, >= 0. The 99th percentile where reports tell it, else the median.
struct LatencyCurve {
  static constexpr double kMostRho = 0.98;
  double base = 0;
  double queue = 0;
  double confidence = 0;  // 0–1
  [[nodiscard]] double at(double rho) const {
    const double r = rho < 0 ? 0 : rho > kMostRho ? kMostRho : rho;
    return base + queue * r / (1 - r);
  }
};

}  // namespace penstock::load
