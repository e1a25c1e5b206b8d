// The linear model of one node: what each traffic unit of each placement costs, and the background.
//
// Recursive least squares, the covariance P in units of squared utilisation:
//   g = P x,  K = g / (r + x'g),  theta_k += K * cut(u_k - theta_k' x),  P -= K g'
// - x holds traffic relative to its usual size (a scale per unit that follows slowly), and 1 for the
// background, so
//   that priors and bounds are of utilisation and the same for services of any size.
// - The three units of a placement are nearly collinear. The prior covariance is the regulariser: what the
// data cannot
//   tell apart is shared as the prior says, and only the combination at the placement's own mix is ever used.
// - Forgetting (P / lambda) happens per placement and in the measure that its traffic varied; without
// excitation
//   nothing is forgotten, and no variance exceeds its prior: no wind-up.
// - The background walks (P_bb += q), so it follows sooner than costs do. A run of cut innovations of one
// sign is a
//   change: variance is given back, to the background first and a little to costs; varied traffic then tells
//   which.
// - Innovations are cut at `outlier` deviations (Huber), traffic above `leverage` times the usual counts
// less: a lie
//   of any size moves the estimate by a bounded amount.
// - Costs and background are projected on >= 0, one coefficient a report and dimension.
// Not thread-safe. Allocates in add and remove only.
#pragma once

#include <Eigen/Core>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "controlplane/load/model_settings.h"
#include "controlplane/load/types.h"

namespace penstock::load {

/// Utilisation per traffic unit (rows: new flow/s, active flow, byte/s) and dimension (columns).
using UnitCosts = Eigen::Matrix<double, kTrafficUnits, kDimensions, Eigen::RowMajor>;
using UnitVector = std::array<double, kTrafficUnits>;

[[nodiscard]] inline UnitVector units_of(const Traffic& traffic) {
  return {traffic.new_flows, traffic.active_flows, traffic.bytes};
}

class NodeEstimate {
 public:
  explicit NodeEstimate(const ModelSettings& settings);

  /// Appends a placement. known: the prior is what siblings or the configuration say, not a guess.
  void add(const UnitCosts& prior, bool known);
  /// Those behind it move down by one. Its share of the utilisation is the background's until that is
  /// noticed.
  void remove(std::size_t placement);
  /// Replaces the prior of a placement that has carried nothing yet.
  void set_prior(std::size_t placement, const UnitCosts& prior, bool known);

  /// traffic: one per placement, finite and >= 0. utilization: NaN or within range.
  void learn(std::span<const Traffic> traffic, const PerDimension& utilization);

  /// In the caller's units; single ones may be below 0 by noise, which the sum over a mix cancels. Dimensions
  /// that the node has never measured are 0 once it has measured any.
  [[nodiscard]] UnitCosts costs(std::size_t placement) const;
  /// 0–1: how far the standard deviation of what `mix` costs is below the prior's.
  [[nodiscard]] double confidence(std::size_t placement, const Traffic& mix) const;
  [[nodiscard]] PerDimension background() const;
  /// What the model puts down to the placements' traffic of the last report, all together.
  [[nodiscard]] PerDimension carried() const;
  [[nodiscard]] bool measured(std::size_t dimension) const { return (measured_ >> dimension & 1) != 0; }
  [[nodiscard]] std::size_t placements() const { return inputs_.size(); }
  [[nodiscard]] double largest_variance() const { return covariance_.diagonal().maxCoeff(); }

 private:
  /// A placement's traffic as regressors.
  struct Input {
    UnitCosts prior = UnitCosts::Zero();
    bool prior_known = false;
    std::uint32_t reports = 0;  // with traffic
    UnitVector scale{};         // 1 in x is this much; 0: never seen
    UnitVector usual{};         // slow mean of the traffic while there is any, cut at leverage
    UnitVector mean{};          // of x, to tell varied traffic from constant
  };

  [[nodiscard]] Eigen::Index row(std::size_t placement, std::size_t unit) const {
    return static_cast<Eigen::Index>(1 + placement * kTrafficUnits + unit);
  }
  double set_regressors(std::span<const Traffic> traffic);
  void begin_unit(std::size_t placement, std::size_t unit, double value);
  void rescale(std::size_t placement, std::size_t unit, double scale);
  [[nodiscard]] bool is_steadily_full(const PerDimension& utilization) const;
  void use_mean_regressors();
  void notice_dimensions(const PerDimension& utilization);
  void forget();
  void bound();
  bool innovate(const PerDimension& utilization, double prediction_variance);
  [[nodiscard]] double noise_now() const;
  bool slow_down(Eigen::Index dimension, double utilization);
  void learn_deviation(std::size_t dimension, double innovation);
  void correct(Eigen::Index dimension, double scale);
  void reopen();
  [[nodiscard]] double prior_variance(Eigen::Index row) const;

  ModelSettings settings_;
  std::vector<Input> inputs_;
  Eigen::MatrixXd covariance_;  // row 0: background
  Eigen::Matrix<double, Eigen::Dynamic, kDimensions, Eigen::RowMajor>
      estimate_;                       // theta, one column a dimension
  Eigen::VectorXd x_, gain_, growth_;  // of the report at hand
  Eigen::Matrix<double, 1, kDimensions> innovation_;
  std::array<double, kDimensions> deviation_{};  // mean |innovation|
  std::array<int, kDimensions> run_{};           // cut innovations in a row, signed
  std::uint32_t measured_ = 0;                   // bit per dimension
  std::uint64_t reports_ = 0;
};

}  // namespace penstock::load
