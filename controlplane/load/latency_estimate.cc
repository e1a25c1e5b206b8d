#include "controlplane/load/latency_estimate.h"

#include <algorithm>
#include <cmath>

namespace penstock::load {

namespace {

constexpr double kPriorVariance = 1;      // of base and queue, relative to what the first report says of both
constexpr double kLeastScale = 1e-9;      // seconds
constexpr double kLeastDeviation = 1e-3;  // relative
constexpr double kRhoExcitation = 0.05;   // deviation of rho that counts as fully varied
constexpr double kGain = 0.05;            // of slow means
constexpr double kLeastVariance = 1e-12;
constexpr double kMostEstimate = 1e6;  // relative

}  // namespace

void LatencyEstimate::learn(double rho, double latency_seconds) {
  rho = std::clamp(rho, 0.0, LatencyCurve::kMostRho);
  const double idle =
      latency_seconds * (1 - rho);  // what it would be on an idle node, were base and queue equal
  if (scale_ == 0) {
    scale_ = usual_ = std::max(idle, kLeastScale);
    estimate_.setOnes();
    covariance_ = Eigen::Matrix2d::Identity() * kPriorVariance;
    rho_mean_ = rho;
    deviation_ = settings_.latency_noise;
  }
  usual_ = std::max(kLeastScale, usual_ + kGain * (std::min(idle, settings_.leverage * scale_) - usual_));
  if (usual_ > 2 * scale_ || usual_ < 0.5 * scale_) {
    const double factor = scale_ / usual_;
    estimate_ *= factor;
    covariance_ *= factor * factor;
    scale_ = usual_;
  }

  const double varied = std::min(1.0, std::abs(rho - rho_mean_) / kRhoExcitation);
  rho_mean_ += kGain * (rho - rho_mean_);
  covariance_ /= 1 - (1 - settings_.latency_forgetting) * varied * varied;

  const Eigen::Vector2d x(1 - rho, rho);
  const Eigen::Vector2d gain = covariance_ * x;
  const double uncertain = std::max(0.0, x.dot(gain));
  double innovation = idle / scale_ - estimate_.dot(x);
  const double limit = settings_.outlier * (deviation_ + std::sqrt(uncertain));
  bool changed = false;
  if (std::abs(innovation) > limit) {
    const int sign = innovation > 0 ? 1 : -1;
    innovation = sign * limit;
    run_ = run_ * sign > 0 ? run_ + sign : sign;
    changed = std::abs(run_) >= static_cast<int>(settings_.change_after);
    if (changed) run_ = 0;
  } else {
    run_ = 0;
  }
  const double size = std::min(std::abs(innovation), settings_.outlier * deviation_);
  deviation_ = std::max(kLeastDeviation, deviation_ + kGain * (size - deviation_));

  const double scale = 1 / (settings_.latency_noise * settings_.latency_noise + uncertain);
  estimate_ += gain * (innovation * scale);
  covariance_ -= gain * (gain.transpose() * scale);
  // The nearest point in the covariance's metric: cut by itself, a base of 0 would take the blame for a queue
  // that is too large, report after report.
  for (Eigen::Index i = 0; i < 2; ++i) {
    if (estimate_[i] >= 0) continue;
    estimate_ -= covariance_.col(i) * (estimate_[i] / std::max(covariance_(i, i), kLeastVariance));
    estimate_[i] = 0;
  }
  estimate_ = estimate_.cwiseMax(0.0).cwiseMin(kMostEstimate);
  if (changed) covariance_.diagonal().array() += kPriorVariance;
  for (Eigen::Index i = 0; i < 2; ++i) {
    if (covariance_(i, i) > kPriorVariance) {
      const double factor = std::sqrt(kPriorVariance / covariance_(i, i));
      covariance_.row(i) *= factor;
      covariance_.col(i) *= factor;
    }
    covariance_(i, i) = std::max(covariance_(i, i), kLeastVariance);
  }
  covariance_(0, 1) = covariance_(1, 0) = 0.5 * (covariance_(0, 1) + covariance_(1, 0));
  reports_ += reports_ < ~0U;
}

LatencyCurve LatencyEstimate::curve() const {
  if (reports_ == 0) return {};
  const double worst = std::sqrt(covariance_.diagonal().maxCoeff() / kPriorVariance);
  return {.base = estimate_[0] * scale_,
          .queue = estimate_[1] * scale_,
          .confidence = std::clamp(1 - worst, 0.0, 1.0) * reports_ / (reports_ + 8.0)};
}

}  // namespace penstock::load
