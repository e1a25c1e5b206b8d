// What probing costs a gateway: the prober's thread and the workers' part, on memory-backed frames.
#pragma once

#include <cstddef>

#include "penstock/base/result.h"
#include "penstock/base/units.h"

namespace penstock::perf {

struct ProbeCost {
  double prober_percent = 0;  // of one CPU
  double worker_percent = 0;
  double questions_per_second = 0;
  double answered_percent = 0;  // of the questions; far from 100 the figures mean nothing

  [[nodiscard]] double total_percent() const { return prober_percent + worker_percent; }
  [[nodiscard]] double ns_per_question() const { return total_percent() * 1e7 / questions_per_second; }
};

/// Probes so many backends, of one service each, for `seconds`, and the worker sleeps between its looks as
/// one that idles with sleep:100. Unavailable when the kernel does not tell a thread's CPU time.
[[nodiscard]] Result<ProbeCost> measure_probe_cost(std::size_t backends, Nanoseconds interval,
                                                   double seconds);

}  // namespace penstock::perf
