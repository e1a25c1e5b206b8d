#include "bpf/agent/sensors/host_sensors.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "bpf/agent/sensors/cpu.h"

namespace penstock {
namespace {

constexpr Nanoseconds kRetry = Nanoseconds::from_seconds(10);

}  // namespace

HostSensors::HostSensors(std::vector<std::unique_ptr<Sensor>> sensors) {
  for (auto& sensor : sensors) slots_.push_back({std::move(sensor), {}, {}});
}

void HostSensors::sample(Nanoseconds now) {
  for (Slot& slot : slots_) {
    if (now >= slot.due) read(slot, now);
  }
}

void HostSensors::read(Slot& slot, Nanoseconds now) {
  auto done = slot.sensor->read(now, load_);
  slot.due = now + (done ? slot.sensor->period() : kRetry);
  if (done) {
    if (!slot.problem.empty()) spdlog::info("the {} sensor works again", slot.sensor->name());
    slot.problem.clear();
  } else if (slot.problem.empty()) {
    slot.problem = std::string("the ") + slot.sensor->name() + " sensor fails: " + done.error().text();
    spdlog::warn("{}; its values are absent until it works again", slot.problem);
  }
}

std::vector<std::string> HostSensors::problems() const {
  std::vector<std::string> out;
  for (const Slot& slot : slots_) {
    if (!slot.problem.empty()) out.push_back(slot.problem);
  }
  return out;
}

HostSensors find_host_sensors(const SensorRoots& roots) {
  std::vector<std::unique_ptr<Sensor>> sensors;
  sensors.push_back(std::make_unique<CpuSensor>(roots));
  return HostSensors(std::move(sensors));
}

}  // namespace penstock
