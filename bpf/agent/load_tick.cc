#include "bpf/agent/load_tick.h"

#include <utility>

#include "bpf/agent/load_report.h"

namespace penstock {

LoadTick::LoadTick(LoadSettings settings)
    : settings_(std::move(settings)), sensors_(find_host_sensors(SensorRoots{})) {}

Result<std::unique_ptr<LoadTick>> LoadTick::start(const AgentSettings& settings) {
  return std::unique_ptr<LoadTick>(new LoadTick(settings.load));
}

void LoadTick::set_services(std::map<VipKey, std::string> ids) { ids_ = std::move(ids); }

void LoadTick::sample(Nanoseconds now) { sensors_.sample(now); }

Status LoadTick::publish(DecapProgram& program, Nanoseconds now) {
  if (auto done = program.set_host_load(host_entry(sensors_.load(), {}, now)); !done) return done.error();
  return program.set_service_loads(entries_);
}

void LoadTick::report(proto::NodeStatus& status, Nanoseconds now) const {
  fill(*status.mutable_load(), sensors_.load(), {}, settings_, now);
  for (const auto& [key, value] : settings_.labels) (*status.mutable_labels())[key] = value;
}

}  // namespace penstock
