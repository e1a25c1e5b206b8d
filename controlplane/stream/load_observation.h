// What gateways and nodes said, as reports for the load model: counters become rates, utilisations of several
// sources become the freshest one. Pure: no clock, no thread, no lock.
//
// A node's report is of the last kWindow: what was measured of it on average, and what came to it meanwhile.
// Hosts and gateways are heard at moments of their own, and in 100 ms a backend sees a handful of flows:
// rates of one span beside a utilisation of another would say that flows cost nothing.
//
// Traffic of a backend is the sum over gateways. Each counts since its dataplane began; a restarted one
// begins anew, and teaches nothing with its first report. A gateway that is silent for kSilence is left out.
// Active flows are the connections that the host's kernel has open, where it tells: entries of flow tables
// are counted once a second, and outlive their flows.
//
// Utilisation comes from probes, with gateways' reports, and from the node's agent; in each dimension the one
// that was measured last counts. A service's own CPU (of its cgroup) counts for the node's when it is higher:
// then the cgroup is what runs out. With the agent's label "cpu" = "cgroup" it counts in any case: several
// backends share a host there, and each has a quota.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "controlplane/load/types.h"
#include "controlplane/stream/sample_window.h"
#include "penstock/base/units.h"
#include "penstock/proto/dataplane.pb.h"
#include "penstock/proto/node.pb.h"

namespace penstock {

/// A report of a gateway: its latest status, or loads. Several of one gateway come in the order of `at`.
/// Everything is outlived by the call that takes it.
struct GatewayLoads {
  std::string gateway;
  bool is_status = false;
  Nanoseconds at;  // when it came
  std::uint64_t uptime_ns = 0;
  const google::protobuf::RepeatedPtrField<proto::ServiceStats>* services = nullptr;
};

/// An agent's latest report.
struct AgentLoad {
  load::NodeIndex node = load::kNone;
  Nanoseconds at;
  const proto::NodeStatus* status = nullptr;
};

class LoadObservation {
 public:
  static constexpr Nanoseconds kSilence = Nanoseconds::from_seconds(3);
  static constexpr double kWindow = 0.3;  // seconds
  /// Seconds by which a flow's work is measured later than the flow is counted: it waits in its server, and
  /// what was measured waits for a probe.
  static constexpr double kWorkAfterFlow = 0.12;
  static constexpr double kLeastApart = 0.05;  // seconds between a node's reports

  struct Place {
    load::PlacementIndex placement = load::kNone;
    load::NodeIndex node = load::kNone;
  };
  /// By ids of service and backend.
  using Places = std::map<std::pair<std::string, std::string>, Place>;

  /// What reports are about from now on. Forgets what was measured, but no counter.
  void follow(Places places, std::size_t nodes);

  /// A report for every node that something new was measured of, `time` and `span` in seconds of the same
  /// clock as `at` and `now`. Reports that were seen before teach nothing.
  [[nodiscard]] std::vector<load::NodeReport> observe(std::span<const GatewayLoads> gateways,
                                                      std::span<const AgentLoad> agents, Nanoseconds now);

  /// Whether every gateway that reports it has an open breaker.
  [[nodiscard]] bool breaker_open(load::PlacementIndex placement) const;

 private:
  struct Counted {
    std::uint64_t uptime_ns = 0;    // of the last report
    SampleWindow new_flows, bytes;  // since its dataplane began, at the times that it was heard
    double entries = 0;             // of its flow table
    bool breaker_open = false;
    Nanoseconds at;
  };
  struct Measured {
    double value = load::kAbsent;
    double time = 0;  // seconds
  };
  struct Latency {
    Measured p50, p99;
  };
  struct Node {
    std::array<SampleWindow, load::kDimensions> host;
    double reported = 0;  // time of the last report
    bool by_cgroup = false;
  };

  void count(const std::string& gateway, const GatewayLoads& from, const Place& place,
             const proto::BackendStats& stats);
  void measure(const Place& place, const proto::BackendLoad& load, Nanoseconds at);
  void measure(const AgentLoad& agent);
  static void put(Measured& into, double value, double time);
  static void put(SampleWindow& into, double value, double time);
  [[nodiscard]] load::NodeReport report_of(load::NodeIndex index, Nanoseconds now);
  [[nodiscard]] load::PlacementReport traffic_of(load::PlacementIndex placement, double until, double& span,
                                                 Nanoseconds now);

  Places places_;
  std::vector<Node> nodes_;
  std::vector<std::vector<load::PlacementIndex>> of_node_;  // by node
  std::vector<Latency> latency_;                            // by placement
  std::vector<SampleWindow> cpu_;                           // of the service's cgroup, by placement
  std::vector<SampleWindow> open_;  // connections on the host, by placement; 0 for ever: nobody counts them
  std::vector<bool> is_counted_;    // whether somebody does
  std::vector<std::map<std::string, Counted>> counted_;       // by placement and gateway
  std::map<std::pair<std::string, bool>, Nanoseconds> seen_;  // by gateway and is_status: `at` of the last
  std::vector<Nanoseconds> agent_seen_;                       // by node
};

}  // namespace penstock
