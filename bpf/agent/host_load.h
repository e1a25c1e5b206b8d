// How loaded this host is, dimension by dimension. Names and units follow ORCA (xds.data.orca.v3):
// utilisations are shares, 1 = all of it, and may pass 1 where ORCA lets them.
#pragma once

#include <map>
#include <string>

#include "bpf/agent/measurement.h"

namespace penstock {

struct HostLoad {
  Measurement cpu_utilization;
  Measurement mem_utilization;
  Measurement cpu_pressure;  // PSI "some": share of the last interval
  Measurement memory_pressure;
  Measurement io_pressure;
  Measurement run_queue;           // runnable tasks per CPU
  Measurement disk_utilization;    // of the busiest disk
  Measurement disk_iops;           // of all disks
  Measurement nic_rx_utilization;  // of the busiest interface, against its speed
  Measurement nic_tx_utilization;
  Measurement gpu_utilization;  // of the busiest GPU
  Measurement gpu_mem_utilization;
  Measurement power_watts;
};

/// What applications say of themselves: ORCA's OrcaLoadReport.
struct ApplicationLoad {
  Measurement application_utilization;
  Measurement rps_fractional;
  Measurement eps;
  std::map<std::string, Measured> utilization;
  std::map<std::string, Measured> named_metrics;
  std::map<std::string, Measured> request_cost;
};

/// CPU of a service's cgroup.
struct CgroupLoad {
  Measurement cpu;        // share of what the cgroup may use
  Measurement throttled;  // share of time that it was not allowed to run
};

}  // namespace penstock
