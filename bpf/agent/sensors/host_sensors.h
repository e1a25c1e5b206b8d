// All sensors of the host that are cheap enough for the loop, each at its own pace.
//
// Theory of operation: sample() is called at every tick and reads what is due. A sensor that fails says so
// once, its values become absent, and it is tried again every ten seconds. One that has never worked is taken
// as missing: that is said in the log only.
//
// One thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bpf/agent/host_load.h"
#include "bpf/agent/sensors/sensor.h"

namespace penstock {

class HostSensors {
 public:
  explicit HostSensors(std::vector<std::unique_ptr<Sensor>> sensors);

  void sample(Nanoseconds now);
  [[nodiscard]] const HostLoad& load() const { return load_; }
  /// Sentences about those that have worked and fail now.
  [[nodiscard]] std::vector<std::string> problems() const;

 private:
  struct Slot {
    std::unique_ptr<Sensor> sensor;
    Nanoseconds due;
    std::string problem;  // empty while it works
    bool worked = false;
  };
  void read(Slot& slot, Nanoseconds now);

  std::vector<Slot> slots_;
  HostLoad load_;
};

/// Those that this host has. The missing ones are named in the log, once. `interfaces`, `speeds_mbps`: see
/// NicSensor.
HostSensors find_host_sensors(const SensorRoots& roots, const std::vector<std::string>& interfaces,
                              const std::map<std::string, std::uint32_t>& speeds_mbps);

}  // namespace penstock
