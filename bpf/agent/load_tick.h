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

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bpf/agent/agent_settings.h"
#include "bpf/agent/checks/check_runner.h"
#include "bpf/agent/decap_program.h"
#include "bpf/agent/directive.h"
#include "bpf/agent/load_report.h"
#include "bpf/agent/orca/orca_poller.h"
#include "bpf/agent/orca/orca_socket.h"
#include "bpf/agent/orca/orca_store.h"
#include "bpf/agent/sensors/cgroups.h"
#include "bpf/agent/sensors/host_sensors.h"
#include "bpf/agent/telemetry/telemetry.h"
#include "penstock/base/result.h"
#include "penstock/proto/node.pb.h"

namespace penstock {

class LoadTick {
 public:
  /// `wake` is called from another thread when the next tick should not be waited for: a check has changed
  /// its mind.
  static Result<std::unique_ptr<LoadTick>> start(const AgentSettings& settings, std::function<void()> wake);

  void set_services(const NodeServices& services);

  void sample(Nanoseconds now);
  Status publish(DecapProgram& program, Nanoseconds now);

  /// Adds load, labels, NAT targets, and to the services that are there telemetry and checks. `keys`: those
  /// of status.services(), in their order.
  void report(proto::NodeStatus& status, const std::vector<VipKey>& keys, Nanoseconds now) const;
  [[nodiscard]] std::vector<std::string> problems() const;

 private:
  explicit LoadTick(const AgentSettings& settings);
  void load_telemetry();
  void say_what_is_not_measured();
  [[nodiscard]] ServiceView view_of(const VipKey& key, const std::string& id) const;
  void take_verdicts();
  void report_checks(proto::NodeStatus& status, const std::vector<VipKey>& keys, Nanoseconds now) const;

  const LoadSettings settings_;
  HostSensors sensors_;
  ServiceCgroups cgroups_;
  std::unique_ptr<Telemetry> telemetry_;                             // null: switched off, or impossible here
  const std::map<VipKey, ServiceTelemetry>* connections_ = nullptr;  // its last sample
  Nanoseconds connections_at_;
  std::string telemetry_problem_;          // why it is impossible
  std::vector<std::string> not_measured_;  // said in the log
  OrcaStore orca_store_;
  OrcaView orca_;
  std::map<VipKey, std::string> ids_;  // of all services; empty where the control plane told none
  std::map<VipKey, CheckVerdict> verdicts_;
  std::atomic<bool> verdicts_changed_ = false;
  std::map<VipKey, probe_service_entry> entries_;  // of the last tick
  // Last, and in this order: their threads use what is above.
  std::unique_ptr<OrcaSocket> orca_socket_;
  std::vector<std::unique_ptr<OrcaPoller>> orca_pollers_;
  std::unique_ptr<CheckRunner> checks_;
};

}  // namespace penstock
