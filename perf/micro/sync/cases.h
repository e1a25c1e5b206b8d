// The parts of sync_bench, each of which adds its figures.
#pragma once

#include "perf/micro/report/figures.h"

namespace penstock::perf {

void measure_worker_cost(Figures& figures, bool quick);
void measure_recovery(Figures& figures, bool quick);
void measure_known_after(Figures& figures, bool quick);
void measure_snapshot(Figures& figures, bool quick);

}  // namespace penstock::perf
