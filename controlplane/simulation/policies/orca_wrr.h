// Weighted round robin by ORCA reports (gRFC A58): weight = qps / (utilisation + errors per query * penalty).
// Backends without a report get the mean of the others' weights; a report that is older than the expiry is
// none.
#pragma once

#include <vector>

#include "controlplane/simulation/policy.h"

namespace penstock::simulation {

class OrcaWrr final : public Policy {
 public:
  struct Settings {
    double period = 1;         // weight_update_period, seconds
    double blackout = 10;      // seconds of reports before a backend's weight is used
    double expiry = 180;       // weight_expiration_period, seconds
    double error_penalty = 1;  // error_utilization_penalty
  };
  explicit OrcaWrr(Settings settings) : settings_(settings) {}
  OrcaWrr() : OrcaWrr(Settings{}) {}

  /// 0 if there is no qps or utilisation: then nothing is known.
  [[nodiscard]] static double weight(double qps, double utilization, double errors_per_second,
                                     double penalty);

  [[nodiscard]] std::string name() const override { return "orca-wrr"; }
  void start(const View& view) override;
  [[nodiscard]] double period() const override { return settings_.period; }
  [[nodiscard]] bool wants_reports() const override { return true; }
  void on_report(const load::NodeReport& report, double now) override;
  void step(double now, Actions& actions) override;

 private:
  struct Known {
    double weight = 0;
    double since = -1, last = -1;  // of the reports; negative: none
  };

  Settings settings_;
  const View* view_ = nullptr;
  std::vector<Known> known_;  // per placement
};

}  // namespace penstock::simulation
