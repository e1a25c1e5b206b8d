// The most average utilisation at which 99 % of flows still meet the latency objective, by raising the load.
#include <algorithm>

#include "perf/kpi/experiments.h"

namespace penstock::kpi {

void measure_sustained(Bench& bench) {
  for (const auto& set : bench.sets) {
    Plot plot{.title = "Flows within the latency objective, " + set.name,
              .x_axis = "average utilisation, %",
              .y_axis = "flows within the objective, %",
              .lines = {},
              .y_target = 99};
    for (const std::string_view policy :
         {kOurs, kStrict, kWeightsOnly, std::string_view("static"), std::string_view("prequal")}) {
      double sustained = 0;
      Line line{std::string(policy), {}};
      for (const double load : {0.8, 0.85, 0.9, 0.92, 0.94, 0.96}) {
        if (bench.quick && load != 0.85 && load != 0.9 && load != 0.94) continue;
        FleetPlan plan = bench.plan();
        plan.load = load;
        const auto result = bench.run(fleet(plan, set.inputs), policy);
        const double within = result.share_within_objective(), used = result.mean_utilization();
        if (within >= 0.99) sustained = std::max(sustained, used);
        line.points.emplace_back(100 * used, 100 * within);
      }
      plot.lines.push_back(std::move(line));
      bench.figures.add("kpi.sustained." + set.name + "." + std::string(policy), 100 * sustained, "%",
                        policy == kOurs ? std::optional(perf::at_least(90)) : std::nullopt);
    }
    bench.draw("sustained-" + set.name, svg_of(plot));
  }
}

}  // namespace penstock::kpi
