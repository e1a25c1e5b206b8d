#include "bpf/agent/sensors/disks.h"

#include <unistd.h>

#include <algorithm>

#include "bpf/agent/sensors/parse.h"

namespace penstock {

Status parse_diskstats(std::string_view text,
                       const std::function<void(std::string_view, const DiskCounters&)>& each) {
  while (!text.empty()) {
    std::string_view line = take_until(text, '\n');
    if (line.empty()) continue;
    take_word(line);  // major
    take_word(line);  // minor
    const std::string_view name = take_word(line);
    std::uint64_t columns[10];  // reads, merged, sectors, ms; writes, merged, sectors, ms; in flight, busy ms
    for (std::uint64_t& column : columns) {
      const auto value = number<std::uint64_t>(take_word(line));
      if (!value) return unavailable("a line in /proc/diskstats that is not understood");
      column = *value;
    }
    each(name, {columns[0] + columns[4], columns[9]});
  }
  return Ok{};
}

bool DiskSensor::is_physical(const std::string& name) const {
  for (const char* upon : {"loop", "ram", "zram", "dm-", "md", "sr", "fd"}) {
    if (name.starts_with(upon)) return false;
  }
  return access((devices_ + name + "/partition").c_str(), F_OK) != 0;
}

Status DiskSensor::read(Nanoseconds now, HostLoad& load) {
  load.disk_utilization.reset();
  load.disk_iops.reset();
  auto text = file_.read();
  if (!text) return text.error();
  std::optional<double> busiest;
  double iops = 0;
  auto parsed = parse_diskstats(*text, [&](std::string_view name, const DiskCounters& counters) {
    auto disk = disks_.find(name);
    if (disk == disks_.end()) {
      disk = disks_.emplace(name, Disk{}).first;
      disk->second.counts = is_physical(disk->first);
    }
    disk->second.seen = now;
    if (!disk->second.counts) return;
    const auto step = disk->second.growth.add({counters.operations, counters.busy_ms}, now);
    if (!step) return;
    const double seconds = static_cast<double>(step->elapsed.count()) / 1e9;
    const double busy = std::min(static_cast<double>(step->counters[1]) / 1e3 / seconds, 1.0);
    busiest = std::max(busiest.value_or(0), busy);
    iops += static_cast<double>(step->counters[0]) / seconds;
  });
  if (!parsed) return parsed.error();
  std::erase_if(disks_, [now](const auto& disk) { return disk.second.seen != now; });
  if (!busiest) return Ok{};
  load.disk_utilization = Measured{*busiest, now};
  load.disk_iops = Measured{iops, now};
  return Ok{};
}

}  // namespace penstock
