// The fast loop (DESIGN section 5) over any policy that sets weights: a new flow whose primary is hot goes to
// its alternate if that is less so (dataplane/pipeline/new_flow.h), but for those that stay with it, so that
// it is heard when it is quick again. Late is the agent's p99 against that of the fleet's better half, busy
// the agent's utilisation, as in production (dataplane/probe/service_history.h). Weights are the other
// policy's; so is everything that is not said here.
#pragma once

#include <array>
#include <vector>

#include "controlplane/simulation/policies/heat.h"
#include "controlplane/simulation/policy.h"

namespace penstock::simulation {

class HotCold final : public Policy {
 public:
  struct Settings {
    double least_late = 0.02;  // seconds; no response below it is late
    double late_factor = 2;    // late is above this times what is usual among the fleet's better half
    /// Of 256 new flows, those that stay with a busy node, and with one that is late by 1-3 levels. These are
    /// production's where weights stand still, gentle() those where they follow load
    /// (dataplane/pipeline/new_flow.cc).
    std::array<std::uint32_t, 4> kept{0, 4, 4, 4};
    std::uint32_t memory = 60;  // seconds that what is usual is averaged over

    static Settings gentle() {
      Settings settings;
      settings.kept = {240, 240, 224, 192};
      return settings;
    }
  };
  /// `weights` must outlive this, and must place flows by hash.
  HotCold(Policy& weights, Settings settings) : weights_(weights), settings_(settings) {}
  explicit HotCold(Policy& weights) : HotCold(weights, Settings{}) {}

  [[nodiscard]] std::string name() const override { return weights_.name() + "+hot-cold"; }
  void start(const View& view) override;
  [[nodiscard]] double period() const override { return weights_.period(); }
  [[nodiscard]] bool wants_reports() const override { return weights_.wants_reports(); }
  [[nodiscard]] bool wants_probes() const override { return true; }
  void on_report(const load::NodeReport& report, double now) override { weights_.on_report(report, now); }
  void on_probe(const ProbeReply& reply, double now) override;
  void step(double now, Actions& actions) override { weights_.step(now, actions); }
  [[nodiscard]] PlacementIndex choose(const NewFlow& flow, const View& view) override;
  void on_end(PlacementIndex placement, std::uint32_t gateway, double now, double latency_seconds) override {
    weights_.on_end(placement, gateway, now, latency_seconds);
  }

 private:
  Policy& weights_;
  Settings settings_;
  void end_second(double now);

  double usual_ = 0;  // p99 of the fleet's better half, smoothed, seconds; 0: none yet
  std::uint32_t seconds_ = 0;
  double second_ends_ = 1;
  std::vector<double> said_;  // per node: its last p99 in this second; NaN: none
  std::vector<Heat> heat_;    // per node
};

}  // namespace penstock::simulation
