#include "bpf/agent/sensors/host_sensors.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <utility>

#include "bpf/agent/sensors/cpu.h"
#include "bpf/agent/sensors/disks.h"
#include "bpf/agent/sensors/gpu.h"
#include "bpf/agent/sensors/memory.h"
#include "bpf/agent/sensors/nics.h"
#include "bpf/agent/sensors/power.h"
#include "bpf/agent/sensors/pressure.h"

namespace penstock {
namespace {

constexpr Nanoseconds kRetry = Nanoseconds::from_seconds(10);

std::unique_ptr<Sensor> find_gpus(const SensorRoots& roots) {
  std::vector<std::unique_ptr<GpuSource>> sources;
  if (auto nvidia = find_nvml_gpus()) sources.push_back(std::move(nvidia));
  if (auto others = find_sysfs_gpus(roots)) sources.push_back(std::move(others));
  if (sources.empty()) return nullptr;
  return std::make_unique<GpuSensor>(std::move(sources));
}

}  // namespace

HostSensors::HostSensors(std::vector<std::unique_ptr<Sensor>> sensors) {
  for (auto& sensor : sensors) slots_.push_back({std::move(sensor), {}, {}, false});
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
    slot.worked = true;
  } else if (slot.problem.empty()) {
    slot.problem = std::string("the ") + slot.sensor->name() + " sensor fails: " + done.error().text();
    spdlog::warn("{}; its values are absent until it works again", slot.problem);
  }
}

std::vector<std::string> HostSensors::problems() const {
  std::vector<std::string> out;
  for (const Slot& slot : slots_) {
    if (slot.worked && !slot.problem.empty()) out.push_back(slot.problem);
  }
  return out;
}

HostSensors find_host_sensors(const SensorRoots& roots, const std::vector<std::string>& interfaces,
                              const std::map<std::string, std::uint32_t>& speeds_mbps) {
  std::vector<std::unique_ptr<Sensor>> sensors;
  std::string missing;
  const auto add = [&](const std::string& what, std::unique_ptr<Sensor> sensor) {
    if (sensor != nullptr) {
      sensors.push_back(std::move(sensor));
    } else {
      missing += (missing.empty() ? "" : ", ") + what;
    }
  };
  const auto pressure = [&](const char* resource, Measurement HostLoad::*field) -> std::unique_ptr<Sensor> {
    if (access((roots.proc + "/pressure/" + resource).c_str(), R_OK) != 0) return nullptr;
    return std::make_unique<PressureSensor>(roots, resource, field);
  };
  add("CPU", std::make_unique<CpuSensor>(roots));
  add("memory", std::make_unique<MemorySensor>(roots));
  add("CPU pressure", pressure("cpu", &HostLoad::cpu_pressure));
  add("memory pressure", pressure("memory", &HostLoad::memory_pressure));
  add("io pressure", pressure("io", &HostLoad::io_pressure));
  add("disks", std::make_unique<DiskSensor>(roots));
  add("network interfaces", std::make_unique<NicSensor>(roots, interfaces, speeds_mbps));
  add("GPU", find_gpus(roots));
  add("power", PowerSensor::find(roots));
  if (!missing.empty()) spdlog::info("this host has no sensors for: {}", missing);
  return HostSensors(std::move(sensors));
}

}  // namespace penstock
