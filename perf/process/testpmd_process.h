// dpdk-testpmd with --forward-mode=macswap, which only swaps MAC addresses: what the driver alone allows.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "penstock/base/result.h"

namespace penstock::perf {

struct TestpmdRun {
  std::string port;               // devargs
  std::vector<unsigned> cpus{1};  // one forwarding lcore and one queue of the port on each
  std::size_t buffers = 262'144;  // of all queues together
  std::size_t memory_mb = 1'024;
  int seconds = 3;  // reported ones; starting takes two more
};

/// Millions of packets received in each of the run's seconds, as testpmd reports them itself.
Result<std::vector<double>> testpmd_rates(const TestpmdRun& run);

}  // namespace penstock::perf
