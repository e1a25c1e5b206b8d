// Whether new flows go where perfect knowledge would send them, within 5 %: by utilisation, which the weights
// are for, and by what the flow itself would take there and then, which no weight can know. Utilisation is the last
// second's: flows are so small here that its own noise, sqrt(2 / flows), stays below the 5 %.
#include "perf/kpi/experiments.h"

namespace penstock::kpi {
namespace {

constexpr double kSize = 0.0004;

}  // namespace

void measure_placement(Bench& bench) {
  for (const auto& set : bench.sets) {
    FleetPlan plan = bench.plan();
    plan.mean_size = kSize;
    const auto scenario = fleet(plan, set.inputs);
    for (const std::string_view policy : {kOurs, kGraded, kWeightsOnly, std::string_view("static"), std::string_view("prequal")}) {
      const auto result = bench.run(scenario, policy);
      const double judged = result.judged_flows ? static_cast<double>(result.judged_flows) : 1;
      const std::string name = set.name + "." + std::string(policy);
      const auto target = policy == kOurs ? std::optional(perf::at_least(95)) : std::nullopt;
      bench.figures.add("kpi.placement.utilization." + name,
                        100 * static_cast<double>(result.well_placed_by_utilization) / judged, "%", target);
      bench.figures.add("kpi.placement.latency." + name,
                        100 * static_cast<double>(result.well_placed_by_latency) / judged, "%", target);
    }
  }
}

}  // namespace penstock::kpi
