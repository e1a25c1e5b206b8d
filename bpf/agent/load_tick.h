// The load of the host and of its services: read at every tick of the loop, put into the maps that probes are
// answered from, and said to the control plane every second.
//
//   sensors/    the host and the services' cgroups           read here, each at its own pace
//   telemetry/  the kernel's hooks on the services' sockets  read here
//   orca/       what applications say of themselves          on threads of its own
//   checks/     local checks                                 on a thread of its own
//
// Values of another thread are taken over as they are, never waited for.
//
// One thread, the loop's.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bpf/agent/agent_settings.h"
#include "bpf/agent/decap_program.h"
#include "bpf/agent/sensors/host_sensors.h"
#include "penstock/base/result.h"
#include "penstock/proto/node.pb.h"

namespace penstock {

class LoadTick {
 public:
  static Result<std::unique_ptr<LoadTick>> start(const AgentSettings& settings);

  /// The directive's services, and the control plane's names of them.
  void set_services(std::map<VipKey, std::string> ids);

  void sample(Nanoseconds now);
  Status publish(DecapProgram& program, Nanoseconds now);
  /// Adds load, labels and, to the services that are there, telemetry and checks.
  void report(proto::NodeStatus& status, Nanoseconds now) const;
  [[nodiscard]] std::vector<std::string> problems() const { return sensors_.problems(); }

 private:
  explicit LoadTick(LoadSettings settings);

  const LoadSettings settings_;
  HostSensors sensors_;
  std::map<VipKey, std::string> ids_;
  std::map<VipKey, probe_service_entry> entries_;  // of the last tick
};

}  // namespace penstock
