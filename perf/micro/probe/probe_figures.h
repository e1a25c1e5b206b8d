// What probing 1,000 backends 20 times a second costs, as figures: for the suites `probe` and `telemetry`.
#pragma once

#include "perf/micro/report/figures.h"

namespace penstock::perf {

[[nodiscard]] Status add_probe_figures(Figures& figures, bool quick);

}  // namespace penstock::perf
