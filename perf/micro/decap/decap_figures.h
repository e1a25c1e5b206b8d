// What a packet costs in the backend's XDP program, as figures: for the suites `decap` and `telemetry`.
#pragma once

#include "perf/micro/report/figures.h"

namespace penstock::perf {

/// Needs root; leaves the calling thread in a network namespace of its own. Internal when something went
/// wrong on the way, which GoogleTest has printed.
[[nodiscard]] Status add_decap_figures(Figures& figures, bool quick);

}  // namespace penstock::perf
