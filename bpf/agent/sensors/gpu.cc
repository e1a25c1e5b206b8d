#include "bpf/agent/sensors/gpu.h"

#include <algorithm>
#include <chrono>

#include "penstock/base/clock.h"

namespace penstock {
namespace {

void raise(std::optional<double>& to, const std::optional<double>& value) {
  if (value) to = std::max(to.value_or(*value), *value);
}

}  // namespace

GpuSensor::GpuSensor(std::vector<std::unique_ptr<GpuSource>> sources) : sources_(std::move(sources)) {
  thread_ = std::thread([this] { run(); });
}

GpuSensor::~GpuSensor() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void GpuSensor::run() {
  for (;;) {
    read_once();
    std::unique_lock lock(mutex_);
    if (changed_.wait_for(lock, std::chrono::seconds(1), [this] { return stopping_; })) return;
  }
}

void GpuSensor::read_once() {
  GpuUse most;
  std::string problem;
  for (const auto& source : sources_) {
    auto use = source->read();
    if (!use) {
      problem = use.error().text();
      continue;
    }
    raise(most.utilization, use->utilization);
    raise(most.memory, use->memory);
  }
  const Nanoseconds now = monotonic_now();
  const auto measured = [now](const std::optional<double>& value) {
    return value ? Measurement(Measured{*value, now}) : std::nullopt;
  };
  const std::lock_guard lock(mutex_);
  utilization_ = measured(most.utilization);
  memory_ = measured(most.memory);
  problem_ = std::move(problem);
}

Status GpuSensor::read(Nanoseconds, HostLoad& load) {
  const std::lock_guard lock(mutex_);
  load.gpu_utilization = utilization_;
  load.gpu_mem_utilization = memory_;
  if (!problem_.empty()) return unavailable(problem_);
  return Ok{};
}

}  // namespace penstock
