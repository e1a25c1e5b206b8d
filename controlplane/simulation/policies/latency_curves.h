// Weights from latency-weight curves, like KnapsackLB (Gandhi, Narayana: "KnapsackLB: enabling
// performance-aware layer-4 load balancing", 2024): a curve of latency against load is learnt for each
// backend from responses alone, then the service's load is filled in where it costs least latency in sum. The
// curve here is base + slope * load^2, least squares with forgetting; x * curve(x) is convex, so that giving
// one small piece after the other to the backend of least marginal latency is the knapsack's optimum. The
// first steps vary weights, for a curve needs two loads.
#pragma once

#include <vector>

#include "controlplane/simulation/policy.h"

namespace penstock::simulation {

/// latency(load) = base + slope * load^2, both >= 0; learnt online.
class LatencyOfLoad {
 public:
  /// `kept`: of the weight of what was seen before, 0-1.
  void observe(double load, double latency_seconds, double kept);
  [[nodiscard]] bool known() const { return n_ > 0; }
  [[nodiscard]] double base() const { return base_; }
  [[nodiscard]] double slope() const { return slope_; }
  /// Of load * latency(load).
  [[nodiscard]] double marginal(double load) const { return base_ + 3 * slope_ * load * load; }

 private:
  double n_ = 0, x_ = 0, y_ = 0, xx_ = 0, xy_ = 0;  // sums over x = load^2, y = latency
  double base_ = 0, slope_ = 0;
};

/// Shares that minimise the sum of load_i * latency_i(load_i) for the demand, to a piece of 1 / `pieces` of
/// it.
[[nodiscard]] std::vector<double> fill_by_latency(std::span<const LatencyOfLoad> curves, double demand,
                                                  std::uint32_t pieces);

class LatencyCurves final : public Policy {
 public:
  struct Settings {
    double period = 2;         // seconds between weights
    std::uint32_t trials = 3;  // first steps that vary weights
    double kept = 0.98;        // of old observations, per report
    double most_change = 0.5;  // of a weight in a step, relative
  };
  explicit LatencyCurves(Settings settings) : settings_(settings) {}
  LatencyCurves() : LatencyCurves(Settings{}) {}

  [[nodiscard]] std::string name() const override { return "latency-curves"; }
  void start(const View& view) override;
  [[nodiscard]] double period() const override { return settings_.period; }
  [[nodiscard]] bool wants_reports() const override { return true; }
  void on_report(const load::NodeReport& report, double now) override;
  void step(double now, Actions& actions) override;

 private:
  Settings settings_;
  const View* view_ = nullptr;
  std::uint32_t steps_ = 0;
  std::vector<LatencyOfLoad> curves_;  // per placement
  std::vector<double> rates_, weights_;
};

}  // namespace penstock::simulation
