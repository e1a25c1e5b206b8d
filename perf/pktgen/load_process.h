// The two programs that can send scenarios.ini at a dataplane, behind one face: which port the dataplane has
// to open for them, how they are started, and that both leave the same JSON.
#pragma once

#include <string>
#include <vector>

#include "penstock/base/result.h"
#include "perf/process/child_process.h"

namespace penstock::perf {

struct LoadPlan {
  std::vector<std::string> scenarios;  // empty: all
  bool quick = false;
  std::string folder;       // private, for sockets, log and result
  std::string pktgen_path;  // Pktgen-DPDK's binary; empty: penstock-generator
};

/// The dataplane's flags for the ports that face the generator.
[[nodiscard]] std::vector<std::string> dataplane_flags(const LoadPlan& plan);

/// Starts the generator; the dataplane must be up and configured.
Result<ChildProcess> start_load(const LoadPlan& plan);

/// Where it writes what it measured when it is done.
[[nodiscard]] std::string result_path(const LoadPlan& plan);

}  // namespace penstock::perf
