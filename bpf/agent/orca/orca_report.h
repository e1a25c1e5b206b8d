// One ORCA load report (xds.data.orca.v3.OrcaLoadReport), as an application sent it. Names are accepted in
// the forms of protobuf's JSON mapping: "cpu_utilization" and "cpuUtilization". Pure functions; every error
// is a sentence for the application's programmer.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "penstock/base/result.h"

namespace penstock {

inline constexpr std::size_t kMaxOrcaBytes = 16 * 1024;  // of one report
inline constexpr std::size_t kMaxOrcaNames = 64;         // in each of its maps
inline constexpr std::size_t kMaxOrcaNameBytes = 128;

struct OrcaReport {
  std::string service;                            // id; empty: the host
  std::optional<double> cpu_utilization;          // from 0, may pass 1
  std::optional<double> mem_utilization;          // 0-1
  std::optional<double> application_utilization;  // from 0, may pass 1
  std::optional<double> rps_fractional;           // from 0, as eps
  std::optional<double> eps;
  std::map<std::string, double> utilization;  // 0-1
  std::map<std::string, double> named_metrics;
  std::map<std::string, double> request_cost;
};

/// {"cpu_utilization":0.3,"utilization":{"disk":0.8},...}, and "service" besides ORCA's names.
Result<OrcaReport> parse_orca_json(std::string_view text);

/// Value of the header `endpoint-load-metrics`: "TEXT cpu_utilization=0.3,named_metrics.queue=7" or
/// "JSON {...}".
Result<OrcaReport> parse_orca_header(std::string_view value);

}  // namespace penstock
