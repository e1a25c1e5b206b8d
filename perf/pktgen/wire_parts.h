// The inside of Wire, for the two files that touch DPDK. The order is that of taking apart, backwards.
#pragma once

#include <memory>

#include "dataplane/dpdk/eal.h"
#include "dataplane/dpdk/engine_memory.h"
#include "dataplane/dpdk/port.h"
#include "perf/pktgen/generator.h"

namespace penstock::perf {

struct Wire::Parts {
  std::unique_ptr<Eal> eal;
  Mempool buffers;
  std::unique_ptr<Port> port;
  Totals totals;
};

}  // namespace penstock::perf
