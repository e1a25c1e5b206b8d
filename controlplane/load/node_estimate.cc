#include "controlplane/load/node_estimate.h"

#include <algorithm>
#include <cmath>

namespace penstock::load {

namespace {

constexpr double kUsualRise = 0.1;   // of the traffic's usual size: soon up, for a crowd must be normalised,
constexpr double kUsualFall = 0.02;  // slowly down
constexpr UnitVector kLeastScale = {0.01, 0.01, 1};
constexpr double kMostRegressor = 1e6;   // finite squares, whatever is reported
constexpr double kMeanGain = 0.05;       // of the mean that variation is measured against
constexpr double kDeviationGain = 0.05;  // of the mean absolute innovation
constexpr double kLeastDeviation = 1e-4;
constexpr double kFarBeyond = 2;
constexpr double kMostSlower = 4;      // that a node can have become at once
constexpr double kFirstDeviation = 4;  // of the noise: until a node has shown its own, it may be a loud one
constexpr double kLeastVariance = 1e-12;  // rounding must not make a variance negative
constexpr double kKnownPriorError = 0.5;  // relative: nodes of one fleet differ by about this much
constexpr std::uint64_t kSymmetriseEvery = 32;

}  // namespace

NodeEstimate::NodeEstimate(const ModelSettings& settings)
    : settings_(settings),
      covariance_(Eigen::MatrixXd::Zero(1, 1)),
      estimate_(decltype(estimate_)::Zero(1, kDimensions)),
      x_(Eigen::VectorXd::Ones(1)),
      gain_(Eigen::VectorXd::Zero(1)),
      growth_(Eigen::VectorXd::Ones(1)),
      innovation_(decltype(innovation_)::Zero()) {
  covariance_(0, 0) = prior_variance(0);
  deviation_.fill(kFirstDeviation * settings.noise);
}

double NodeEstimate::prior_variance(Eigen::Index row) const {
  const double deviation = row == 0 ? settings_.background_deviation : settings_.cost_deviation;
  return deviation * deviation;
}

void NodeEstimate::add(const UnitCosts& prior, bool known) {
  inputs_.emplace_back();
  const auto rows = static_cast<Eigen::Index>(1 + inputs_.size() * kTrafficUnits);
  covariance_.conservativeResizeLike(Eigen::MatrixXd::Zero(rows, rows));
  estimate_.conservativeResizeLike(decltype(estimate_)::Zero(rows, kDimensions));
  x_ = Eigen::VectorXd::Zero(rows);
  gain_ = Eigen::VectorXd::Zero(rows);
  growth_ = Eigen::VectorXd::Ones(rows);
  set_prior(inputs_.size() - 1, prior, known);
}

void NodeEstimate::remove(std::size_t placement) {
  const Eigen::Index from = row(placement, 0);
  const Eigen::Index after = from + static_cast<Eigen::Index>(kTrafficUnits);
  const Eigen::Index rows = covariance_.rows();
  const Eigen::Index rest = rows - after;
  for (Eigen::Index i = 0; i < rest; ++i) {  // one by one: the ranges overlap
    covariance_.row(from + i) = covariance_.row(after + i).eval();
    estimate_.row(from + i) = estimate_.row(after + i).eval();
  }
  for (Eigen::Index i = 0; i < rest; ++i) covariance_.col(from + i) = covariance_.col(after + i).eval();
  const Eigen::Index left = from + rest;
  covariance_.conservativeResize(left, left);
  estimate_.conservativeResize(left, Eigen::NoChange);
  x_ = Eigen::VectorXd::Zero(left);
  gain_ = Eigen::VectorXd::Zero(left);
  growth_ = Eigen::VectorXd::Ones(left);
  inputs_.erase(inputs_.begin() + static_cast<std::ptrdiff_t>(placement));
}

void NodeEstimate::set_prior(std::size_t placement, const UnitCosts& prior, bool known) {
  Input& input = inputs_[placement];
  if (input.reports > 0) return;
  input.prior = prior;
  input.prior_known = known;
}

/// The first traffic of a unit is its scale, and its prior cost becomes a regression coefficient.
void NodeEstimate::begin_unit(std::size_t placement, std::size_t unit, double value) {
  Input& input = inputs_[placement];
  value = std::max(value, kLeastScale[unit]);
  input.scale[unit] = input.usual[unit] = value;
  input.mean[unit] = 1;
  const Eigen::Index i = row(placement, unit);
  estimate_.row(i) =
      (input.prior.row(static_cast<Eigen::Index>(unit)) * value).cwiseMin(settings_.most_utilization);
  covariance_.row(i).setZero();
  covariance_.col(i).setZero();
  covariance_(i, i) = prior_variance(i);
  if (!input.prior_known) return;
  // What siblings cost is worth more than no idea: the deviation is a share of it, and of what is usual for a
  // change.
  const double expected = kKnownPriorError * (input.prior.colwise().sum() * value).maxCoeff();
  const double deviation = std::max(expected, settings_.changed_cost);
  covariance_(i, i) = std::min(covariance_(i, i), deviation * deviation);
}

void NodeEstimate::rescale(std::size_t placement, std::size_t unit, double scale) {
  Input& input = inputs_[placement];
  const double factor = scale / input.scale[unit];
  const Eigen::Index i = row(placement, unit);
  estimate_.row(i) *= factor;
  covariance_.row(i) *= factor;
  covariance_.col(i) *= factor;
  input.mean[unit] /= factor;
  input.scale[unit] = scale;
}

/// Fills x_ and growth_. Returns how much the report counts, in (0, 1].
double NodeEstimate::set_regressors(std::span<const Traffic> traffic) {
  double most = 0;
  x_[0] = 1;
  growth_[0] = 1;
  for (std::size_t p = 0; p < inputs_.size(); ++p) {
    Input& input = inputs_[p];
    const UnitVector values = units_of(traffic[p]);
    double varied = 0;
    bool any = false;
    for (std::size_t u = 0; u < kTrafficUnits; ++u) {
      const double value = values[u];
      if (value > 0) {
        any = true;
        if (input.scale[u] == 0) begin_unit(p, u, value);
        const double cut = std::min(value, settings_.leverage * input.scale[u]);
        input.usual[u] += (cut > input.usual[u] ? kUsualRise : kUsualFall) * (cut - input.usual[u]);
        input.usual[u] = std::max(input.usual[u], kLeastScale[u]);
        // In octaves, since each step rescales the covariance.
        if (input.usual[u] > 2 * input.scale[u] || input.usual[u] < 0.5 * input.scale[u]) {
          rescale(p, u, input.usual[u]);
        }
      }
      const double x = input.scale[u] > 0 ? std::min(value / input.scale[u], kMostRegressor) : 0;
      const double from_mean = x - input.mean[u];
      varied += from_mean * from_mean;
      input.mean[u] += kMeanGain * std::min(from_mean, settings_.leverage);
      x_[row(p, u)] = x;
      most = std::max(most, x);
    }
    input.reports += any && input.reports < ~0U;
    const double excited = std::min(1.0, varied / (settings_.excitation * settings_.excitation));
    growth_.segment<kTrafficUnits>(row(p, 0)).setConstant(
        1 / std::sqrt(1 - (1 - settings_.forgetting) * excited));
  }
  const double beyond = most / settings_.leverage;
  return beyond > 1 ? 1 / (beyond * beyond) : 1;
}

/// A dimension measured for the first time has taught nothing yet, whatever the others have: begin again.
void NodeEstimate::notice_dimensions(const PerDimension& utilization) {
  std::uint32_t present = 0;
  for (std::size_t k = 0; k < kDimensions; ++k)
    present |= static_cast<std::uint32_t>(!std::isnan(utilization[k])) << k;
  const bool late = measured_ != 0 && (present & ~measured_) != 0;
  measured_ |= present;
  if (!late) return;
  covariance_.setZero();
  for (Eigen::Index i = 0; i < covariance_.rows(); ++i) covariance_(i, i) = prior_variance(i);
}

void NodeEstimate::forget() {
  for (Eigen::Index j = 0; j < covariance_.cols(); ++j) {
    covariance_.col(j).array() *= growth_.array() * growth_[j];
  }
  covariance_(0, 0) += settings_.background_drift * settings_.background_drift;
}

void NodeEstimate::bound() {
  for (Eigen::Index i = 0; i < covariance_.rows(); ++i) {
    const double most = prior_variance(i);
    if (covariance_(i, i) > most) {  // both sides: stays positive semidefinite
      const double factor = std::sqrt(most / covariance_(i, i));
      covariance_.row(i) *= factor;
      covariance_.col(i) *= factor;
    }
    covariance_(i, i) = std::max(covariance_(i, i), kLeastVariance);
  }
  // With forgetting, rounding's asymmetry grows until it ruins the filter (Verhaegen 1989).
  if (reports_ % kSymmetriseEvery == 0) {
    for (Eigen::Index j = 1; j < covariance_.cols(); ++j) {
      for (Eigen::Index i = 0; i < j; ++i) {
        covariance_(i, j) = covariance_(j, i) = 0.5 * (covariance_(i, j) + covariance_(j, i));
      }
    }
  }
}

/// Full, and as full as its traffic explains.
bool NodeEstimate::is_steadily_full(const PerDimension& utilization) const {
  bool full = false;
  for (std::size_t k = 0; k < kDimensions; ++k) {
    if (!(utilization[k] >= settings_.full)) continue;
    full = true;
    const double e = utilization[k] - x_.dot(estimate_.col(static_cast<Eigen::Index>(k)));
    if (std::abs(e) > settings_.outlier * deviation_[k]) return false;
  }
  return full;
}

void NodeEstimate::use_mean_regressors() {
  for (std::size_t p = 0; p < inputs_.size(); ++p) {
    for (std::size_t u = 0; u < kTrafficUnits; ++u) x_[row(p, u)] = inputs_[p].mean[u];
  }
}

/// Sets innovation_, cut; absent dimensions get 0. Returns whether some dimension has changed for good.
bool NodeEstimate::innovate(const PerDimension& utilization, double prediction_variance) {
  innovation_.noalias() = x_.transpose() * estimate_;
  const double uncertain = std::sqrt(prediction_variance);
  bool changed = false;
  for (std::size_t k = 0; k < kDimensions; ++k) {
    double& e = innovation_[static_cast<Eigen::Index>(k)];
    if (std::isnan(utilization[k])) {
      e = 0;
      continue;
    }
    e = utilization[k] - e;
    const double limit = settings_.outlier * (deviation_[k] + uncertain);
    if (std::abs(e) > limit) {
      const int sign = e > 0 ? 1 : -1;
      if (run_[k] * sign < 0) run_[k] = 0;
      // What is far beyond the limit needs fewer in a row to be believed.
      run_[k] += std::abs(e) > kFarBeyond * limit ? 2 * sign : sign;
      const bool believed = std::abs(run_[k]) >= static_cast<int>(settings_.change_after);
      if (believed) {
        changed = true;
        run_[k] = 0;
      }
      e = believed && slow_down(static_cast<Eigen::Index>(k), utilization[k]) ? 0 : sign * limit;
    } else {
      run_[k] = 0;
    }
    learn_deviation(k, e);
  }
  return changed;
}

/// A node that is busier than it was thought may have become slower, or may have a neighbour that works. Both
/// say the same of this report, but not of the traffic that the node should have: a neighbour takes the more
/// of it away. The milder of the two is believed until varied traffic tells, for that comes nearer to the
/// truth in either case and never goes beyond it. Of a node that is idler, the milder is that a neighbour has
/// gone: false, the background is reopened first.
bool NodeEstimate::slow_down(Eigen::Index k, double utilization) {
  const double ours = x_.dot(estimate_.col(k)) - estimate_(0, k);
  const double left = utilization - estimate_(0, k);
  if (utilization < settings_.full || !(left > ours && ours > kLeastDeviation)) return false;
  const auto rows = estimate_.rows() - 1;
  estimate_.col(k).tail(rows) *= std::min(left / ours, kMostSlower);
  return true;
}

double NodeEstimate::noise_now() const {
  constexpr double kOfMeanSize = 1.25;  // standard deviation by mean absolute deviation, of a normal variable
  double most = 0;
  for (std::size_t k = 0; k < kDimensions; ++k) {
    if (measured(k)) most = std::max(most, deviation_[k]);
  }
  return std::max(settings_.noise, kOfMeanSize * most);
}

void NodeEstimate::learn_deviation(std::size_t k, double innovation) {
  const double size = std::min(std::abs(innovation), settings_.outlier * deviation_[k]);
  deviation_[k] = std::max(kLeastDeviation, deviation_[k] + kDeviationGain * (size - deviation_[k]));
}

/// Teaches one dimension, and projects on >= 0: the lowest coefficient, if negative, is raised to 0 and takes
/// the others with it as the covariance says (the nearest point in its metric). Cut by itself, it would spoil
/// the prediction that the three collinear units make well together, and the next innovations would drive
/// them apart. One a report is enough, for what else is below 0 meanwhile is noise that the sum over a mix
/// cancels.
void NodeEstimate::correct(Eigen::Index k, double scale) {
  auto column = estimate_.col(k);
  column += gain_ * (innovation_[k] * scale);
  if (column.minCoeff() < 0) {
    Eigen::Index lowest = 0;
    const double least = column.minCoeff(&lowest);
    column -= covariance_.col(lowest) * (least / covariance_(lowest, lowest));
    column[lowest] = 0;
  }
  column = column.cwiseMax(-settings_.most_utilization).cwiseMin(settings_.most_utilization);
}

void NodeEstimate::reopen() {
  covariance_(0, 0) += prior_variance(0);
  const double cost = settings_.changed_cost * settings_.changed_cost / kTrafficUnits;
  for (std::size_t p = 0; p < inputs_.size(); ++p) {
    for (std::size_t u = 0; u < kTrafficUnits; ++u) {
      if (inputs_[p].scale[u] > 0) covariance_(row(p, u), row(p, u)) += cost;
    }
  }
}

void NodeEstimate::learn(std::span<const Traffic> traffic, const PerDimension& utilization) {
  const double counts = set_regressors(traffic);
  notice_dimensions(utilization);
  // A full node says 1 whatever it is sent: taken for data, that is a cost of 0 beside a large background. It
  // teaches how much its usual traffic makes, and not what more or less of it would.
  if (is_steadily_full(utilization)) {
    use_mean_regressors();
  } else {
    forget();
  }
  gain_.noalias() = covariance_ * x_;
  const double prediction_variance = std::max(0.0, x_.dot(gain_));
  const bool changed = innovate(utilization, prediction_variance);
  const double noise = noise_now();
  const double scale = 1 / (noise * noise / counts + prediction_variance);
  for (Eigen::Index j = 0; j < covariance_.cols(); ++j) covariance_.col(j) -= gain_ * (gain_[j] * scale);
  for (std::size_t k = 0; k < kDimensions; ++k) {  // one by one: Eigen's outer product would allocate
    if (!std::isnan(utilization[k])) correct(static_cast<Eigen::Index>(k), scale);
  }
  if (changed) reopen();
  ++reports_;
  bound();
}

UnitCosts NodeEstimate::costs(std::size_t placement) const {
  const Input& input = inputs_[placement];
  UnitCosts costs;
  for (std::size_t u = 0; u < kTrafficUnits; ++u) {
    const auto to = static_cast<Eigen::Index>(u);
    if (input.scale[u] > 0) {
      costs.row(to) = estimate_.row(row(placement, u)) / input.scale[u];
    } else {
      costs.row(to) = input.prior.row(to);
    }
  }
  for (std::size_t k = 0; measured_ != 0 && k < kDimensions; ++k) {
    if (!measured(k)) costs.col(static_cast<Eigen::Index>(k)).setZero();
  }
  return costs;
}

double NodeEstimate::confidence(std::size_t placement, const Traffic& mix) const {
  const Input& input = inputs_[placement];
  if (input.reports == 0) return 0;
  const UnitVector values = units_of(mix);
  Eigen::Vector3d m = Eigen::Vector3d::Zero();
  for (std::size_t u = 0; u < kTrafficUnits; ++u) {
    if (input.scale[u] > 0) m[static_cast<Eigen::Index>(u)] = values[u] / input.scale[u];
  }
  const double prior = prior_variance(1) * m.squaredNorm();
  if (!(prior > 0)) return 0;
  const Eigen::Index first = row(placement, 0);
  const double now = m.dot(covariance_.block<kTrafficUnits, kTrafficUnits>(first, first) * m);
  // A prior from siblings begins with little variance, which its own reports have yet to earn.
  const double earned = input.reports / (input.reports + 8.0);
  return earned * std::clamp(1 - std::sqrt(std::max(0.0, now) / prior), 0.0, 1.0);
}

PerDimension NodeEstimate::carried() const {
  PerDimension carried{};
  for (std::size_t k = 0; k < kDimensions; ++k) {
    if (!measured(k)) continue;
    const auto column = static_cast<Eigen::Index>(k);
    carried[k] = x_.dot(estimate_.col(column)) - estimate_(0, column);
  }
  return carried;
}

PerDimension NodeEstimate::background() const {
  PerDimension background{};
  for (std::size_t k = 0; k < kDimensions; ++k) {
    if (measured(k)) background[k] = std::max(0.0, estimate_(0, static_cast<Eigen::Index>(k)));
  }
  return background;
}

}  // namespace penstock::load
