#include "controlplane/load/workload_class.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace penstock::load {

namespace {

constexpr std::array<const char*, 3> kNames = {"latency-sensitive", "throughput", "batch"};

}  // namespace

const char* name_of(WorkloadClass workload) { return kNames[static_cast<std::size_t>(workload)]; }

WorkloadClass WorkloadClassifier::class_now() const {
  // The class that is held keeps what is within the factor; another must exceed its boundary by as much.
  const auto exceeds = [this](double value, double boundary, WorkloadClass of) {
    return value > (learned_ == of ? boundary / settings_.hysteresis : boundary * settings_.hysteresis);
  };
  const double residence = mix_.residence();
  const double bytes = mix_.bytes_per_flow();
  const double rate = residence > 0 ? bytes / residence : 0;
  const bool fast = exceeds(rate, settings_.throughput_rate, WorkloadClass::kThroughput);
  if (exceeds(residence, settings_.batch_residence, WorkloadClass::kBatch) && !fast)
    return WorkloadClass::kBatch;
  if (exceeds(bytes, settings_.throughput_bytes, WorkloadClass::kThroughput))
    return WorkloadClass::kThroughput;
  return WorkloadClass::kLatencySensitive;
}

void WorkloadClassifier::observe(const Traffic& traffic, double span) {
  for (const double value : {traffic.new_flows, traffic.active_flows, traffic.bytes, span}) {
    if (!std::isfinite(value) || value < 0) return;
  }
  if (span == 0 || is_idle(traffic)) return;
  mix_.add(traffic, span);
  if (!mix_.known()) return;
  const WorkloadClass now = class_now();
  in_a_row_ = now == candidate_ ? std::min(in_a_row_ + 1, 2 * settings_.hold) : 1;
  candidate_ = now;
  if (in_a_row_ >= settings_.hold) learned_ = candidate_;
}

double WorkloadClassifier::confidence() const {
  if (candidate_ != learned_ || settings_.hold == 0) return 0;
  return static_cast<double>(in_a_row_) / (2 * settings_.hold);
}

}  // namespace penstock::load
