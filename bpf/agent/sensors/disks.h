// Disks, from /proc/diskstats (Documentation/admin-guide/iostats.rst). Utilisation is the share of time with
// at least one request under way, of the busiest disk; a device that serves many at once can do more at 1.
// Partitions, and what lies upon other disks (dm, md, loop) or in memory (ram, zram), are left out.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "bpf/agent/sensors/rate.h"
#include "bpf/agent/sensors/sensor.h"
#include "bpf/agent/sensors/text_file.h"

namespace penstock {

struct DiskCounters {
  std::uint64_t operations = 0;  // reads and writes that have ended
  std::uint64_t busy_ms = 0;     // io_ticks; 32 bits in some kernels
};
/// Calls `each` for every device of the text.
Status parse_diskstats(std::string_view text,
                       const std::function<void(std::string_view name, const DiskCounters&)>& each);

class DiskSensor final : public Sensor {
 public:
  explicit DiskSensor(const SensorRoots& roots)
      : file_(roots.proc + "/diskstats"), devices_(roots.sys + "/class/block/") {}
  [[nodiscard]] const char* name() const override { return "disk"; }
  [[nodiscard]] Nanoseconds period() const override { return kSeldom; }
  Status read(Nanoseconds now, HostLoad& load) override;

 private:
  struct Disk {
    bool counts = false;  // a whole, physical one
    Nanoseconds seen;
    Growth<2> growth;  // operations, busy_ms
  };
  [[nodiscard]] bool is_physical(const std::string& name) const;

  TextFile file_;
  const std::string devices_;
  std::map<std::string, Disk, std::less<>> disks_;
};

}  // namespace penstock
