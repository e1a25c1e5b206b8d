// penstock-dataplane's command line and YAML file, checked and put into the words of the parts.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "dataplane/dpdk/engine.h"
#include "dataplane/pipeline/vlan.h"
#include "dataplane/sync/sync_thread.h"
#include "penstock/net/addr.h"

namespace penstock {

/// Take routes and neighbours of `interface` for the port of this name; for ports whose devargs do not say
/// it.
struct KernelInterface {
  std::string port;
  std::string interface;
};

/// What becomes of the VLAN tags of packets that leave by this port.
struct PortVlan {
  std::string port;
  VlanRule rule;
};

/// For a port without a kernel interface.
struct StaticNextHopSetting {
  std::string port;
  MacAddr mac;
  std::optional<Ipv4Addr> source_v4;
  std::optional<Ipv6Addr> source_v6;
  std::uint16_t mtu = 1500;
};

struct DataplaneSettings {
  EngineSettings engine;
  std::uint32_t probe_interval_ms = 50;  // 0 = backends are not probed
  std::string socket = "/run/penstock/dataplane.sock";
  std::string flow_dir;       // empty: flows end with the process
  std::string instance;       // names the files in flow_dir; never empty with one
  bool forget_flows = false;  // of an earlier process
  std::vector<KernelInterface> kernel_interfaces;
  std::vector<StaticNextHopSetting> static_next_hops;
  std::optional<Ipv4Addr> source_v4;
  std::optional<Ipv6Addr> source_v6;
  std::optional<SyncThreadSettings> sync;  // none: flows are not replicated
};

/// The settings, or the exit code with which the process should end at once: 0 after --help and --version,
/// kExitUsage or kExitBadConfig after one sentence on stderr. Sets up logging.
std::variant<DataplaneSettings, int> parse_dataplane_settings(int argc, char** argv);

// One value of a flag each; InvalidArgument in one sentence.
[[nodiscard]] Result<std::vector<unsigned>> parse_cpu_list(const std::string& text);    // "0,2-3"
[[nodiscard]] Result<KernelInterface> parse_kernel_interface(const std::string& text);  // "PORT=INTERFACE"
/// "PORT=keep", "PORT=strip", "PORT=ID" or "PORT=ID.ID", the outer (802.1ad) tag first.
[[nodiscard]] Result<PortVlan> parse_port_vlan(const std::string& text);
/// "PORT,mac=02:…[,source_v4=A][,source_v6=A][,mtu=N]", at least one source.
[[nodiscard]] Result<StaticNextHopSetting> parse_static_next_hop(const std::string& text);

}  // namespace penstock
