// p99 at 90 % load beside static weights and beside the best of the comparison policies. The oracle is no
// policy that one could have, and is not among them. Flows that a policy lost are endless, those that it had
// not finished at the end are as old as they are: neither makes its p99 look better.
#include <algorithm>
#include <limits>

#include "perf/kpi/experiments.h"

namespace penstock::kpi {
namespace {

void race(Bench& bench, const std::string& name, const simulation::Scenario& scenario, BarPlot& plot) {
  double ours = 0, fixed = 0, best = std::numeric_limits<double>::infinity();
  std::string rivals;
  for (const std::string_view policy : bench.policies()) {
    if (bench.is_rival(policy)) rivals += (rivals.empty() ? "-of." : "+") + std::string(policy);
  }
  std::vector<double> bars;
  for (const std::string_view policy : bench.policies()) {
    const auto result = bench.run(scenario, policy);
    const double p99 = result.latency_quantile(0.99);
    if (policy == kOurs) ours = p99;
    if (policy == "static") fixed = p99;
    if (bench.is_rival(policy)) best = std::min(best, p99);
    bench.figures.add("kpi.p99." + name + "." + std::string(policy), 1e3 * p99, "ms");
    bars.push_back(1e3 * p99);
    if (plot.groups.empty() || plot.series.size() < bench.policies().size()) {
      plot.series.emplace_back(std::string(policy), std::vector<double>());
    }
  }
  plot.groups.push_back(name);
  for (std::size_t i = 0; i < bars.size(); ++i) plot.series[i].second.push_back(bars[i]);
  bench.figures.add("kpi.p99." + name + ".to-static", ours / fixed, "x", perf::at_most(0.5));
  bench.figures.add("kpi.p99." + name + ".to-best" + (bench.quick ? rivals : ""), ours / best, "x",
                    perf::at_most(0.9));
}

}  // namespace

void measure_tail(Bench& bench) {
  FleetPlan plan = bench.plan();
  plan.load = 0.9;
  BarPlot plot{.title = "p99 latency at 90 % load", .y_axis = "ms", .groups = {}, .series = {}};
  for (const auto& set : bench.sets) race(bench, set.name, fleet(plan, set.inputs), plot);
  bench.draw("p99", svg_of(plot));
  for (const auto& set : bench.sets) {
    if (!set.inputs) continue;
    BarPlot tokens{
        .title = "p99 latency of inference at 90 % load", .y_axis = "ms", .groups = {}, .series = {}};
    race(bench, "inference", inference(plan, *set.inputs), tokens);
    bench.draw("p99-inference", svg_of(tokens));
  }
}

}  // namespace penstock::kpi
