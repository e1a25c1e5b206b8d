// One run: the state of everything, and what each event does to it. simulator.h is the way in.
#pragma once

#include <memory>
#include <vector>

#include "controlplane/simulation/background_load.h"
#include "controlplane/simulation/event_queue.h"
#include "controlplane/simulation/gateways.h"
#include "controlplane/simulation/processor_node.h"
#include "controlplane/simulation/simulator.h"
#include "controlplane/simulation/span_statistics.h"

namespace penstock::simulation {

class Simulation final : public View, public Actions {
 public:
  Simulation(const Scenario& scenario, Policy& policy, const HashingFactory& hashing);
  RunResult run();

  [[nodiscard]] const Scenario& scenario() const override { return scenario_; }
  [[nodiscard]] std::span<const Placement> placements() const override { return placements_; }
  [[nodiscard]] PlacementIndex first(ServiceIndex service) const override { return first_[service]; }
  [[nodiscard]] std::uint32_t count(ServiceIndex service) const override {
    return first_[service + 1] - first_[service];
  }
  [[nodiscard]] bool usable(PlacementIndex placement) const override;
  [[nodiscard]] std::uint32_t own_flows(std::uint32_t gateway, PlacementIndex placement) const override;
  [[nodiscard]] const FlowHashing& hashing(ServiceIndex service) const override { return *hashing_[service]; }
  [[nodiscard]] double truth(PlacementIndex placement, double size) const override;

  void set_weights(ServiceIndex service, std::span<const std::uint32_t> weights) override;
  void park(NodeIndex node) override;
  void wake(NodeIndex node) override;

 private:
  struct Flow {
    double begin = 0, size = 0;
    std::uint64_t hash = 0;
    PlacementIndex placement = 0;
    std::uint32_t gateway = 0;
    bool lost = false;  // its packets reached another node meanwhile
  };
  struct NodeState {
    bool alive = true, healthy = true;  // is; is held for
    bool awake = true;                  // takes new flows: neither parked nor waking
    bool parked = false;
    NodeIntegrals at_row, at_start;  // of the running row of utilisation, of the measured time
    double expected = 0;             // utilisation of the last row, see RunResult
  };

  void place_services();
  void schedule_first();
  void handle(const Event& event);
  void arrive(ServiceIndex service);
  void begin(const NewFlow& flow, PlacementIndex placement);
  void end_flow(NodeIndex node);
  void judge(const NewFlow& flow, PlacementIndex placement);
  void report(NodeIndex node);
  void probe(NodeIndex node);
  void step();
  void measure();
  void close_row();
  [[nodiscard]] double expected_utilization(NodeIndex node) const;
  void sample_background(NodeIndex node, std::uint32_t which);
  void break_something(const Fault& fault);
  void kill_node(NodeIndex node);
  void kill_gateway(std::uint32_t gateway);
  void apply_weights(ServiceIndex service);
  void apply_weights_of(NodeIndex node);
  /// After any change of a node: its next end, and whether it draws power.
  void changed(NodeIndex node);
  void advance(NodeIndex node) { nodes_[node].advance(now_); }
  [[nodiscard]] bool measured(double time) const { return time >= scenario_.warmup; }
  void count_unfinished();
  RunResult finish(double wall_seconds);

  const Scenario& scenario_;
  Policy& policy_;
  RunResult result_;
  std::vector<Placement> placements_;
  std::vector<std::uint64_t> placed_at_row_;    // per placement: flows until the running row
  std::vector<PlacementIndex> first_;           // per service, and one beyond
  std::vector<std::uint32_t> service_on_node_;  // per placement: its place among the node's services
  std::vector<ProcessorNode> nodes_;
  std::vector<NodeState> states_;
  std::vector<NodeSpan> node_spans_;
  std::vector<PlacementSpan> placement_spans_;
  std::vector<std::vector<BackgroundLoad>> backgrounds_;
  std::vector<Arrivals> arrivals_;
  std::vector<Random> sizes_;
  Random hashes_, judging_;
  std::vector<std::unique_ptr<FlowHashing>> hashing_;
  std::vector<std::vector<std::uint32_t>> weights_, applied_;  // per service: as set; as usable
  std::unique_ptr<Gateways> gateways_;
  std::vector<Flow> flows_;
  std::vector<FlowId> free_flows_;
  EventQueue events_;
  NodeEnds ends_;
  std::vector<load::NodeReport> reports_;  // on their way
  std::vector<ProbeReply> probes_;
  std::vector<std::uint32_t> free_reports_, free_probes_;
  double now_ = 0, period_ = 0;
  bool wants_reports_ = false, wants_probes_ = false;
};

}  // namespace penstock::simulation
