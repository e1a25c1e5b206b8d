// Pressure stall information (Documentation/accounting/psi.rst): share of the time in which some task waited
// for CPU, memory or io. Taken from the `total` counters, because the kernel's own averages begin at ten
// seconds.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "bpf/agent/sensors/rate.h"
#include "bpf/agent/sensors/sensor.h"
#include "bpf/agent/sensors/text_file.h"

namespace penstock {

/// Microseconds of "some" since boot.
Result<std::uint64_t> parse_pressure(std::string_view text);

/// One of the three.
class PressureSensor final : public Sensor {
 public:
  /// `resource`: "cpu", "memory" or "io"; `field`: where its value goes.
  PressureSensor(const SensorRoots& roots, const std::string& resource, Measurement HostLoad::*field)
      : name_(resource + " pressure"), file_(roots.proc + "/pressure/" + resource), field_(field) {}
  [[nodiscard]] const char* name() const override { return name_.c_str(); }
  [[nodiscard]] Nanoseconds period() const override { return kOften; }
  Status read(Nanoseconds now, HostLoad& load) override;

 private:
  std::string name_;
  TextFile file_;
  Measurement HostLoad::*field_;
  Growth<1> growth_;
};

}  // namespace penstock
