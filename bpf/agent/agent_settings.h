#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bpf/agent/decap_program.h"
#include "bpf/agent/load_settings.h"
#include "penstock/process/tls.h"

namespace penstock {

struct AgentSettings {
  std::string id;
  std::vector<std::string> interfaces;
  std::vector<std::string> extra_addresses;  // where encapsulated packets arrive, beside the interfaces' own
  XdpMode xdp = XdpMode::kAuto;
  bool clamp_mss = true;
  std::uint32_t path_mtu = 0;  // bytes from the gateways to this host; 0 = that of the interfaces
  std::string state_dir;
  std::string version;
  std::string controlplane;
  TlsFiles tls;
  LoadSettings load;
  bool telemetry = true;      // the kernel's hooks on the services' sockets
  std::string check_scripts;  // folder of the scripts that checks may run; empty: none may
};

}  // namespace penstock
