// The parts of the telemetry suite. Each makes and leaves network namespaces of its own. Needs root.
#pragma once

#include <string>

#include "penstock/base/result.h"
#include "perf/micro/report/figures.h"

namespace penstock::perf {

/// nginx under wrk with the kernel's hooks on its service and without, in turn.
[[nodiscard]] Status measure_hooks(Figures& figures, bool quick);
/// What reading the telemetry costs, and what the listeners' answers do.
[[nodiscard]] Status measure_sampling(Figures& figures, bool quick);

/// A whole penstock-node with ten services, asked by two gateways 20 times a second, under some traffic.
[[nodiscard]] Status measure_agent(Figures& figures, bool quick);

}  // namespace penstock::perf
