// What the agent is told about the load of its host: where to look, what to say besides.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "penstock/base/units.h"

namespace penstock {

/// http://LOOPBACK:PORT/PATH that answers with an ORCA report.
struct OrcaEndpoint {
  std::string service;  // empty: the host, unless the report names one
  std::string host;     // an address of this host's loopback, as it is given to inet_pton
  std::uint16_t port = 0;
  std::string path;
};

struct LoadSettings {
  Nanoseconds interval = Nanoseconds::from_millis(50);  // of what probes are answered with
  std::map<std::string, std::string> service_cgroups;   // service id -> path below the cgroup file system
  std::string orca_socket;                              // empty: none
  std::vector<OrcaEndpoint> orca_endpoints;
  std::map<std::string, std::uint32_t> nic_speeds_mbps;  // where the driver does not know, or lies
  std::map<std::string, std::string> labels;
  std::optional<double> price_per_hour;
  std::optional<double> energy_price_per_kwh;
  std::string currency;
};

}  // namespace penstock
