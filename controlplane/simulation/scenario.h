// What is simulated: nodes, services, gateways, what arrives, what breaks. Plain values; the same scenario
// and seed give the same run, bit for bit, on every machine. Times are seconds since the start, rates are per
// second.
//
// Units of work are the scenario's own: a service's `work` in a dimension over a node's `capacity` there is
// the time that one unit of size takes a node that it has for itself. With work 1 and capacity in cores,
// sizes are core-seconds.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "controlplane/load/solver.h"
#include "controlplane/load/types.h"
#include "controlplane/simulation/arrival.h"
#include "controlplane/simulation/size_distribution.h"

namespace penstock::simulation {

using load::Dimension;
using load::NodeIndex;
using load::PerDimension;
using load::PlacementIndex;
using load::ServiceIndex;

/// Occupancy (per flow while it lives) in kMemory and kGpuMemory; a rate shared among flows in all others.
[[nodiscard]] constexpr bool is_occupancy(Dimension d) {
  return d == Dimension::kMemory || d == Dimension::kGpuMemory;
}

/// Load on a node that no gateway sent: `level` of the capacity of one dimension, plus noise.
struct Background {
  Dimension dimension = Dimension::kCpu;
  std::vector<RatePoint>
      level;              // fraction of capacity, held from its time to the next point's (steps); 0 before
  double noise = 0;       // standard deviation of an Ornstein-Uhlenbeck process added to it
  double noise_time = 1;  // its time constant, seconds
  double sample_period = 0.1;  // seconds between its samples
};

struct Node {
  std::string zone;
  std::vector<std::string> labels;  // capabilities
  PerDimension capacity{1, 0, 0, 0,
                        0, 0, 0, 0};  // units/s, or units in an occupancy; 0: the node has no such limit
  double most_cpu_per_flow = 0;       // units/s that one flow can use of the CPU (a core); 0: all of it
  std::vector<Background> background;
  double price_per_hour = 0;       // while it is awake
  double price_per_load_hour = 0;  // more at utilisation 1
  double idle_watts = 0;
  double busy_watts = 0;      // more than idle at utilisation 1
  double power_exponent = 1;  // watts(u) = idle + busy * u^exponent; SPECpower curves lie near 0.7-1
  double parked_watts = 0;
  double wake_time = 0;           // seconds from wake() until it takes flows
  double telemetry_period = 0.1;  // of node reports
  double telemetry_delay = 0;     // from measuring to the policy
  double probe_period = 0.02;
  double probe_delay = 0.0005;
};

/// Whether a node has a capability; every node has the empty one.
[[nodiscard]] bool bears(const Node& node, const std::string& label);

struct Service {
  ArrivalProcess arrivals;
  SizeDistribution size;
  PerDimension work{1, 0, 0, 0, 0, 0, 0, 0};  // per unit of size; in an occupancy: per living flow
  double bytes_per_size = 0;                  // for Traffic::bytes
  double latency_objective = 0;               // seconds; 0: none
  double priority = 1;
  std::vector<NodeIndex> nodes;        // its backends; empty: every node that bears `label`
  std::string label;                   // empty: no demand
  std::vector<std::uint32_t> weights;  // configured, per backend; empty: 1000 each
  load::Objective objective;           // of its load policy

  /// Of what arrives.
  [[nodiscard]] double average_size() const;
};

struct Gateway {
  std::string zone;
  double share = 1;  // of the flows, relative to the other gateways
};

enum class FaultKind : std::uint8_t { kCapacity, kNodeDown, kNodeUp, kGatewayDown, kGatewayUp };

struct Fault {
  double time = 0;
  FaultKind kind = FaultKind::kCapacity;
  std::uint32_t index = 0;                // of the node or gateway
  Dimension dimension = Dimension::kCpu;  // kCapacity
  double factor = 1;                      // kCapacity: of the capacity at the start
};

struct Scenario {
  std::string name;
  std::uint64_t seed = 1;
  double duration = 10;  // seconds; flows that live at the end are known by their age
  double warmup = 0;     // flows that begin before it, and utilisation before it, are not measured
  std::vector<Node> nodes;
  std::vector<Service> services;
  std::vector<Gateway> gateways{Gateway{}};
  std::vector<Fault> faults;
  double health_delay = 0.1;      // from a node's death (or return) until gateways know
  bool flow_sync = true;          // gateways know each other's flows, so that a gateway's death moves none
  double cross_zone_latency = 0;  // seconds more when gateway and node differ in zone
  double measure_period = 1;      // seconds of one row of utilisation
  double judged_share = 0.01;     // of new flows whose placement is compared with the best
  bool record_weights = true;
};

}  // namespace penstock::simulation
