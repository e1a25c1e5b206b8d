// Real arrivals, machines and sizes to simulate with, from ${PENSTOCK_DATA:-../shared/data}: what they are
// and where they are from stands in that folder's README.md. They are not part of the project.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "controlplane/simulation/arrival.h"
#include "controlplane/simulation/size_distribution.h"
#include "penstock/base/result.h"

namespace penstock::kpi {

struct TimedWork {
  double time = 0;  // seconds since the first
  double work = 0;  // tokens, read and generated
};

/// How fast machines that are sold as alike are: one value per machine, relative to the mean of its type.
struct MachineType {
  double speed = 1;              // of the type, relative to the fastest type's mean
  std::vector<double> machines;  // relative to the type's mean
  double noise = 0;              // standard deviation over time of one machine, relative to its mean
};

struct Inputs {
  std::vector<double> mongodb;             // requests a second, one a minute
  std::vector<double> worldcup;            // requests a minute, one a minute; grows into flash crowds
  std::vector<TimedWork> llm;              // ascending
  std::vector<MachineType> machine_types;  // B8ms, D8s_v5
  std::vector<simulation::CdfPoint> web_search, hadoop, rpc;  // bytes
};

/// PENSTOCK_DATA, or the folder beside the project's.
[[nodiscard]] std::string inputs_folder();

/// Nothing if the folder is not there. Whatever else is missing or makes no sense is an error that names file
/// and line.
[[nodiscard]] Result<std::optional<Inputs>> read_inputs(const std::string& folder);

/// The series over `duration` seconds: linear through at most `points` means of it, scaled to a mean rate.
/// `from` and `to` are places in the series, from < to <= its size.
[[nodiscard]] std::vector<simulation::RatePoint> rate_curve(const std::vector<double>& series,
                                                            std::size_t from, std::size_t to, double duration,
                                                            double mean_rate, std::size_t points = 200);

}  // namespace penstock::kpi
