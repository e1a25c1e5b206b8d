// What a backend is chosen by, and where that is remembered. Of one worker.
#pragma once

#include "dataplane/config/snapshot.h"
#include "dataplane/flow/flow_table.h"
#include "dataplane/pipeline/reports.h"
#include "dataplane/stats/lcore_counters.h"

namespace penstock {

struct Selection {
  const Snapshot& snapshot;
  FlowTable& flows;
  LcoreCounters& counters;
  const Reports& reports;
};

}  // namespace penstock
