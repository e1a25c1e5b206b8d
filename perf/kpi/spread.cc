// How evenly the bottleneck's utilisation lies over nodes at 70 % load: of means over what is measured, and,
// with a flash crowd, of means while it lasts.
#include <algorithm>

#include "perf/kpi/experiments.h"

namespace penstock::kpi {
namespace {

constexpr double kSteadyTarget = 0.02, kFlashTarget = 0.05;

Line spread_over_time(const simulation::RunResult& result) {
  Line line{result.policy, {}};
  for (std::size_t row = 0; row < result.utilization.size(); ++row) {
    line.points.emplace_back(result.measured_from + static_cast<double>(row) * result.measure_period,
                             100 * result.spread(row));
  }
  return line;
}

}  // namespace

void measure_spread(Bench& bench) {
  for (const auto& set : bench.sets) {
    for (const bool flash : {false, true}) {
      FleetPlan plan = bench.plan();
      plan.flash_crowd = flash ? 1.25 : 1;
      const auto scenario = fleet(plan, set.inputs);
      Plot plot{.title = "Spread of utilisation over nodes, " + set.name + (flash ? ", flash crowd" : ""),
                .x_axis = "time, s",
                .y_axis = "coefficient of variation in a second, %",
                .lines = {},
                .y_target = 100 * (flash ? kFlashTarget : kSteadyTarget)};
      for (const std::string_view policy : {kOurs, kStrict, kWeightsOnly, kIdeal, std::string_view("static"),
                                            std::string_view("orca-wrr"), std::string_view("oracle")}) {
        const auto result = bench.run(scenario, policy);
        const std::size_t rows = result.utilization.size();
        // The compiled-in crowd comes at 0.4 of what is measured; the World Cup's fills all of it.
        const std::size_t from = flash && !set.inputs ? rows * 2 / 5 : 0;
        const std::size_t to = flash && !set.inputs ? std::min(rows, from + rows / 5 + 1) : rows;
        const auto target = perf::at_most(flash ? kFlashTarget : kSteadyTarget);
        bench.figures.add("kpi.spread." + std::string(flash ? "flash" : "steady") + "." + set.name + "." +
                              std::string(policy),
                          result.spread_of_means(from, to), "CV",
                          policy == kOurs ? std::optional(target) : std::nullopt);
        plot.lines.push_back(spread_over_time(result));
      }
      bench.draw("spread-" + set.name + (flash ? "-flash" : ""), svg_of(plot));
    }
  }
}

}  // namespace penstock::kpi
