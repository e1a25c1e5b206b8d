// CPU of the whole host and its run queue, from /proc/stat (proc(5)): ticks of 1/100 s, so the share is taken
// over two readings back. Time stolen by a hypervisor counts as used, for it cannot be had.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "bpf/agent/sensors/rate.h"
#include "bpf/agent/sensors/sensor.h"
#include "bpf/agent/sensors/text_file.h"

namespace penstock {

struct CpuTimes {
  std::uint64_t total = 0;  // ticks of all CPUs
  std::uint64_t idle = 0;   // of them without work, waiting for disks included
  std::uint32_t cpus = 0;   // online
  std::uint32_t runnable = 0;
};
Result<CpuTimes> parse_stat(std::string_view text);

class CpuSensor final : public Sensor {
 public:
  explicit CpuSensor(const SensorRoots& roots) : file_(roots.proc + "/stat") {}
  [[nodiscard]] const char* name() const override { return "cpu"; }
  [[nodiscard]] Nanoseconds period() const override { return kOften; }
  Status read(Nanoseconds now, HostLoad& load) override;

 private:
  TextFile file_;
  CpuTimes seen_;        // the most of each counter
  Growth<2, 2> growth_;  // total, idle
};

}  // namespace penstock
