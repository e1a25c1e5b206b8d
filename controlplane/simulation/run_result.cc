#include "controlplane/simulation/run_result.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "controlplane/simulation/random.h"

namespace penstock::simulation {
namespace {

/// Coefficient of variation; what is NaN is left out.
double variation(std::span<const double> values) {
  double sum = 0, squares = 0, n = 0;
  for (double value : values) {
    if (std::isnan(value)) continue;
    sum += value;
    n += 1;
  }
  if (sum <= 0) return 0;
  const double mean = sum / n;
  for (double value : values)
    if (!std::isnan(value)) squares += (value - mean) * (value - mean);
  return std::sqrt(squares / n) / mean;
}

class Fingerprint {
 public:
  void add(std::uint64_t value) { state_ = mix(state_ ^ value); }
  void add(double value) { add(std::bit_cast<std::uint64_t>(value)); }
  void add(const LatencyHistogram& latency) {
    for (std::uint64_t count : latency.buckets()) add(count);
    add(latency.mean());
  }
  [[nodiscard]] std::uint64_t value() const { return state_; }

 private:
  std::uint64_t state_ = 0;
};

}  // namespace

double ServiceResult::share_within_objective() const {
  const auto all = static_cast<double>(latency.count() + failed + overdue);
  return all > 0 ? static_cast<double>(within_objective) / all : 1;
}

double RunResult::spread(std::size_t row) const {
  const std::vector<double> values(utilization[row].begin(), utilization[row].end());
  return variation(values);
}

double RunResult::spread_of_means(std::size_t from, std::size_t to) const {
  if (utilization.empty()) return 0;
  std::vector<double> means(utilization[0].size());
  for (std::size_t node = 0; node < means.size(); ++node) {
    double sum = 0, n = 0;
    for (std::size_t row = from; row < to && row < utilization.size(); ++row) {
      if (std::isnan(utilization[row][node])) continue;
      sum += utilization[row][node];
      n += 1;
    }
    means[node] = n > 0 ? sum / n : load::kAbsent;
  }
  return variation(means);
}

double RunResult::mean_spread() const {
  double sum = 0;
  for (std::size_t row = 0; row < utilization.size(); ++row) sum += spread(row);
  return utilization.empty() ? 0 : sum / static_cast<double>(utilization.size());
}

double RunResult::worst_spread() const {
  double worst = 0;
  for (std::size_t row = 0; row < utilization.size(); ++row) worst = std::max(worst, spread(row));
  return worst;
}

double RunResult::mean_utilization() const {
  double sum = 0, n = 0;
  for (const auto& row : utilization) {
    for (float value : row) {
      if (std::isnan(value)) continue;
      sum += value;
      n += 1;
    }
  }
  return n > 0 ? sum / n : 0;
}

double RunResult::share_within_objective() const {
  std::uint64_t within = 0, all = 0;
  for (const ServiceResult& service : services) {
    within += service.within_objective;
    all += service.latency.count() + service.failed + service.overdue;
  }
  return all > 0 ? static_cast<double>(within) / static_cast<double>(all) : 1;
}

double RunResult::latency_quantile(double q) const {
  LatencyHistogram all = latency;
  std::uint64_t failed = 0;
  for (const ServiceResult& service : services) {
    all.add(service.unfinished);
    failed += service.failed;
  }
  return all.quantile(q, failed);
}

std::uint64_t RunResult::fingerprint() const {
  Fingerprint f;
  for (const ServiceResult& service : services) {
    f.add(service.latency);
    f.add(service.within_objective);
    f.add(service.failed);
    f.add(service.unfinished);
    f.add(service.overdue);
  }
  for (const auto& row : utilization)
    for (float value : row) f.add(std::uint64_t{std::bit_cast<std::uint32_t>(value)});
  for (double active : mean_active) f.add(active);
  for (std::uint64_t count : placed) f.add(count);
  for (const WeightChange& change : weights) {
    f.add(change.time);
    for (std::uint32_t weight : change.weights) f.add(std::uint64_t{weight});
  }
  for (std::uint64_t count : {flows, moved_flows, judged_flows, well_placed_by_latency,
                              well_placed_by_utilization, well_placed_by_expectation, events})
    f.add(count);
  f.add(money);
  f.add(joules);
  return f.value();
}

ShareHistory share_history(const RunResult& result, ServiceIndex service, std::uint32_t backend) {
  ShareHistory history;
  for (const WeightChange& change : result.weights) {
    if (change.service != service) continue;
    double sum = 0;
    for (std::uint32_t weight : change.weights) sum += weight;
    history.times.push_back(change.time);
    history.shares.push_back(sum > 0 ? change.weights[backend] / sum : 0);
  }
  return history;
}

}  // namespace penstock::simulation
