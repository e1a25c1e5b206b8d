// What is judged: who gets how much, or which backend gets this flow. One instance serves one run.
//
// A policy knows what production would know: reports and probes, both delayed. Only an oracle looks at
// View::truth.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "controlplane/simulation/hashing.h"
#include "controlplane/simulation/scenario.h"

namespace penstock::simulation {

/// A service's backends lie end to end in the table of placements.
struct Placement {
  ServiceIndex service = 0;
  NodeIndex node = 0;
};

/// Seconds that the agent's quick windows span (bpf/agent/telemetry).
inline constexpr double kAgentWindow = 0.2;

/// What a node answered to a probe, as of `time`.
struct ProbeReply {
  NodeIndex node = 0;
  double time = 0;
  std::uint32_t active_flows = 0;
  double utilization = 0;      // of the busiest dimension since the probe before
  double latency_seconds = 0;  // mean of the flows that ended since the probe before; NaN if none did
  // What a backend's agent says in production: of the last kAgentWindow seconds.
  double window_utilization = 0;               // of the busiest dimension
  double latency_p99_seconds = load::kAbsent;  // of the flows that ended; NaN if none did
};

struct NewFlow {
  double time = 0;
  std::uint64_t hash = 0;
  ServiceIndex service = 0;
  std::uint32_t gateway = 0;
  double size = 0;  // for an oracle: no production policy knows it
};

/// What a policy may look at, besides what it was told.
class View {
 public:
  virtual ~View() = default;
  [[nodiscard]] virtual const Scenario& scenario() const = 0;
  [[nodiscard]] virtual std::span<const Placement> placements() const = 0;
  [[nodiscard]] virtual PlacementIndex first(ServiceIndex service) const = 0;
  [[nodiscard]] virtual std::uint32_t count(ServiceIndex service) const = 0;
  /// Whether gateways hold the placement for healthy and awake.
  [[nodiscard]] virtual bool usable(PlacementIndex placement) const = 0;
  /// Flows that this gateway has on the placement: it counts them itself, so they are never late.
  [[nodiscard]] virtual std::uint32_t own_flows(std::uint32_t gateway, PlacementIndex placement) const = 0;
  [[nodiscard]] virtual const FlowHashing& hashing(ServiceIndex service) const = 0;
  /// Perfect knowledge: seconds that a flow of this size would take there if nothing else came or left.
  [[nodiscard]] virtual double truth(PlacementIndex placement, double size) const = 0;
};

/// What a policy may do in step().
class Actions {
 public:
  virtual ~Actions() = default;
  /// One weight per backend of the service, in its order. Gateways take them for new flows at once; what is
  /// not usable gets 0 whatever the weight says.
  virtual void set_weights(ServiceIndex service, std::span<const std::uint32_t> weights) = 0;
  /// No new flows; when the last flow has ended, the node takes parked_watts and costs no money.
  virtual void park(NodeIndex node) = 0;
  /// Takes flows after its wake_time.
  virtual void wake(NodeIndex node) = 0;
};

class Policy {
 public:
  virtual ~Policy() = default;
  [[nodiscard]] virtual std::string name() const = 0;
  /// Before the first flow. Weights are the configured ones. `view` lives as long as the run.
  virtual void start(const View& view) = 0;
  /// Seconds between two step()s; 0: none. Asked once, after start().
  [[nodiscard]] virtual double period() const { return 0; }
  [[nodiscard]] virtual bool wants_reports() const { return false; }
  [[nodiscard]] virtual bool wants_probes() const { return false; }
  virtual void on_report(const load::NodeReport& report, double now) {}
  virtual void on_probe(const ProbeReply& reply, double now) {}
  virtual void step(double now, Actions& actions) {}
  /// The placement of a new flow, or load::kNone if there is none. By default: what the weights and the hash
  /// say.
  [[nodiscard]] virtual PlacementIndex choose(const NewFlow& flow, const View& view);
  /// The gateway saw the flow's end.
  virtual void on_end(PlacementIndex placement, std::uint32_t gateway, double now, double latency_seconds) {}
};

}  // namespace penstock::simulation
