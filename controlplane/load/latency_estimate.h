// A node's latency curve, latency = base + queue * rho / (1 - rho), learned by recursive least squares with
// forgetting. Latency's noise grows with latency, and rho / (1 - rho) has no bound, so the model is
// multiplied by (1 - rho):  latency * (1 - rho) = base * (1 - rho) + queue * rho,  whose regressors and noise
// are bounded. The prior is M/M/1 processor sharing, T = S / (1 - rho), whose base and queue are both S: one
// report is a curve. Not thread-safe. Never allocates.
#pragma once

#include <Eigen/Core>
#include <cstdint>

#include "controlplane/load/model_settings.h"
#include "controlplane/load/types.h"

namespace penstock::load {

class LatencyEstimate {
 public:
  explicit LatencyEstimate(const ModelSettings& settings) : settings_(settings) {}

  /// rho: utilisation of the busiest dimension, >= 0, cut at LatencyCurve::kMostRho. latency: seconds, >= 0,
  /// finite.
  void learn(double rho, double latency_seconds);

  [[nodiscard]] LatencyCurve curve() const;

 private:
  ModelSettings settings_;
  Eigen::Vector2d estimate_ = Eigen::Vector2d::Zero();  // base, queue; relative to scale_
  Eigen::Matrix2d covariance_ = Eigen::Matrix2d::Zero();
  double scale_ = 0;  // seconds; 0: nothing reported yet
  double usual_ = 0;  // slow mean of latency * (1 - rho)
  double rho_mean_ = 0;
  double deviation_ = 0;  // mean |innovation|
  int run_ = 0;           // cut innovations in a row, signed
  std::uint32_t reports_ = 0;
};

}  // namespace penstock::load
