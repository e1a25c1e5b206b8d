// CPU of services' cgroups, of version 2 (cpu.stat, cpu.max) or of the older hierarchies cpu and cpuacct.
//
// What a cgroup may use is the least quota on its way to the root, or else all CPUs of the host (cpusets are
// not looked at). Its share is taken over two readings back, about the length of two of the scheduler's
// periods, because within one period all of a quota may be used at once. Throttled time is a sum over CPUs:
// from one CPU held back all the time on it is 1.
//
// A cgroup may appear later, and go and come with its service: it is absent meanwhile. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bpf/agent/host_load.h"
#include "bpf/agent/sensors/rate.h"
#include "bpf/agent/sensors/sensor.h"
#include "bpf/agent/sensors/text_file.h"

namespace penstock {

struct CgroupTimes {
  std::optional<std::uint64_t> usage_ns;  // version 1 has it in another file
  std::uint64_t throttled_ns = 0;         // 0 also where there is no quota
};
/// cpu.stat of either version.
CgroupTimes parse_cpu_stat(std::string_view text);
/// cpu.max: CPUs, infinity for "max"; nothing for what is not understood.
std::optional<double> parse_cpu_max(std::string_view text);

class ServiceCgroups {
 public:
  /// `paths`: service id -> path below the cgroup file system, "/sys/fs/cgroup" itself may be in it.
  ServiceCgroups(const SensorRoots& roots, const std::map<std::string, std::string>& paths, unsigned cpus);
  ~ServiceCgroups();

  void sample(Nanoseconds now);
  /// Null when nothing was said about the service; empty while its cgroup cannot be read.
  [[nodiscard]] const CgroupLoad* of(const std::string& service) const;
  /// Sentences about those that cannot be read now.
  [[nodiscard]] std::vector<std::string> problems() const;

 private:
  class Cgroup;
  std::map<std::string, std::unique_ptr<Cgroup>> cgroups_;
};

}  // namespace penstock
