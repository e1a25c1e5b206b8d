// penstock-node as a whole: keeps this host as the control plane wants it, and says how it is.
//
// Theory of operation: one loop, one thread, two clocks. A directive is validated and applied at once. Every
// 50 ms the load of host and services is read and put where probes are answered from (load_tick). Every
// second the host is compared with what it should be (own addresses, program on every interface, VIPs on
// `lo`, sysctls), so that an interface made anew or a flushed address is repaired, and the result is
// reported. Nothing that may block is called from the loop; late ticks are skipped, not caught up. A crash
// leaves everything in place, and the loads age where they are; a clean stop removes what was added.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "bpf/agent/addresses.h"
#include "bpf/agent/agent_settings.h"
#include "bpf/agent/control_session.h"
#include "bpf/agent/decap_program.h"
#include "bpf/agent/directive.h"
#include "bpf/agent/interface_sysctls.h"
#include "bpf/agent/load_tick.h"
#include "bpf/agent/local_prefixes.h"
#include "bpf/agent/mss_clamp.h"
#include "bpf/agent/single_instance.h"
#include "penstock/base/result.h"

namespace penstock {

class Agent {
 public:
  /// Claims, loads, restores the last directive and attaches. On an error the host is as it was.
  static Result<std::unique_ptr<Agent>> start(AgentSettings settings);
  ~Agent();

  /// Until `stop_fd` is readable. Then the host is put back to what it was.
  void run(int stop_fd);

 private:
  explicit Agent(AgentSettings settings);
  Status claim();
  Status prepare();
  void restore_directive();
  void handle_directive();
  void apply(NodeServices wanted);
  void reconcile();
  void report();
  /// Makes VIPs and VIP prefixes of this host exactly `vips`; returns what could not be done.
  std::vector<std::string> carry(const std::set<VipPrefix>& vips);
  [[nodiscard]] std::vector<std::string> clamp();
  void tick_load();
  void tick_second();
  void put_back();
  [[nodiscard]] std::string state_file(const std::string& suffix) const;

  const AgentSettings settings_;
  std::set<IpAddr> extra_addresses_;
  std::vector<FileDescriptor> claims_;
  FileDescriptor wake_;
  FileDescriptor load_timer_;
  FileDescriptor second_timer_;
  std::optional<Addresses> addresses_;
  std::optional<LocalPrefixes> prefixes_;
  std::optional<InterfaceSysctls> sysctls_;
  std::unique_ptr<DecapProgram> program_;
  std::unique_ptr<MssClamp> clamp_;       // nothing when it is switched off
  std::optional<NodeServices> in_force_;  // nothing until the first directive ever
  std::string directive_problem_;         // why the newest directive is not in force, or is not on disk
  std::vector<std::string> problems_;     // found by the last comparison
  std::unique_ptr<LoadTick> load_;
  std::string load_problem_;                 // why the maps do not have the newest load
  std::unique_ptr<ControlSession> session_;  // last: its thread calls into wake_
};

}  // namespace penstock
