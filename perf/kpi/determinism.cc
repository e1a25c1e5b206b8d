// The same scenario, policy and seed, twice: the same run.
#include "perf/kpi/experiments.h"

namespace penstock::kpi {

void measure_determinism(Bench& bench) {
  FleetPlan plan = bench.plan();
  plan.duration = plan.warmup + 2;
  const auto scenario = fleet(plan, nullptr);
  double different = 0;
  for (const std::string_view policy : bench.policies()) {
    different += bench.run(scenario, policy).fingerprint() != bench.run(scenario, policy).fingerprint();
  }
  bench.figures.add("kpi.runs-not-repeated", different, "policies", perf::at_most(0));
}

}  // namespace penstock::kpi
