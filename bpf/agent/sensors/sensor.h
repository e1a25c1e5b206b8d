// One source of values about this host. A sensor exists only where its source does; what fails later is
// absent until it works again. One thread.
#pragma once

#include <string>

#include "bpf/agent/host_load.h"
#include "bpf/agent/measurement.h"
#include "penstock/base/result.h"

namespace penstock {

/// Where the kernel's file systems are; others in tests.
struct SensorRoots {
  std::string proc = "/proc";
  std::string sys = "/sys";
};

class Sensor {
 public:
  virtual ~Sensor() = default;
  Sensor(const Sensor&) = delete;
  Sensor& operator=(const Sensor&) = delete;

  [[nodiscard]] virtual const char* name() const = 0;
  /// How often it is worth reading.
  [[nodiscard]] virtual Nanoseconds period() const = 0;
  /// Writes its fields of `load` and no others. What needs two readings is absent after the first. After an
  /// error its fields are absent.
  virtual Status read(Nanoseconds now, HostLoad& load) = 0;

 protected:
  Sensor() = default;
};

inline constexpr Nanoseconds kOften = Nanoseconds::from_millis(100);
inline constexpr Nanoseconds kSeldom = Nanoseconds::from_seconds(1);

}  // namespace penstock
