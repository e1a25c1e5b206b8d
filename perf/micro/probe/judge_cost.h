// What the judge of backends costs, by itself and in simulated time.
#pragma once

#include <cstddef>

namespace penstock::perf {

struct JudgeCost {
  double ns_per_answer = 0;       // everything included: ticks, and what each second is for
  double ns_per_busy_answer = 0;  // while every backend is in slow start
  double report_us = 0;           // of all backends, as a report takes it
};

/// So many backends of ten services, 20 answers a second each, with loads, for `seconds` of simulated time.
[[nodiscard]] JudgeCost measure_judge_cost(std::size_t backends, unsigned seconds);

}  // namespace penstock::perf
