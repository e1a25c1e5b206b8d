// Memory in use: what the kernel could not give to a new program without swapping (MemAvailable, proc(5)).
#pragma once

#include <string_view>

#include "bpf/agent/sensors/sensor.h"
#include "bpf/agent/sensors/text_file.h"

namespace penstock {

/// Share of memory in use, out of /proc/meminfo.
Result<double> parse_meminfo(std::string_view text);

class MemorySensor final : public Sensor {
 public:
  explicit MemorySensor(const SensorRoots& roots) : file_(roots.proc + "/meminfo") {}
  [[nodiscard]] const char* name() const override { return "memory"; }
  [[nodiscard]] Nanoseconds period() const override { return kSeldom; }
  Status read(Nanoseconds now, HostLoad& load) override;

 private:
  TextFile file_;
};

}  // namespace penstock
