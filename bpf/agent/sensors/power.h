// Power of the CPU packages and of the memory where it is told, from RAPL's energy counters
// (Documentation/power/powercap/powercap.rst). Zones inside a package are parts of it and left out, but for
// "dram", which is beside it; so is "psys", which is the whole machine again.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bpf/agent/sensors/sensor.h"
#include "bpf/agent/sensors/text_file.h"

namespace penstock {

/// Microjoules since `before`, where the counter wraps after `range`. Nothing when that cannot be.
std::optional<std::uint64_t> energy_grown(std::uint64_t before, std::uint64_t after, std::uint64_t range);

class PowerSensor final : public Sensor {
 public:
  /// Null where the host has none, or nobody may read it.
  static std::unique_ptr<Sensor> find(const SensorRoots& roots);
  [[nodiscard]] const char* name() const override { return "power"; }
  [[nodiscard]] Nanoseconds period() const override { return kSeldom; }
  Status read(Nanoseconds now, HostLoad& load) override;

 private:
  struct Zone {
    TextFile energy;
    std::uint64_t range_uj = 0;
    std::uint64_t before_uj = 0;
  };
  explicit PowerSensor(std::vector<Zone> zones) : zones_(std::move(zones)) {}

  std::vector<Zone> zones_;
  Nanoseconds before_;  // 0: there is no reading to compare with
};

}  // namespace penstock
