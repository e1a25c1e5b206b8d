// Money and energy of days and nights beside static weights, at the same latency objective: a saving counts
// only while 99 % of flows meet it.
#include "perf/kpi/experiments.h"

namespace penstock::kpi {
namespace {

constexpr double kNeeded = 0.99;

void save(Bench& bench, const std::string& set, const simulation::Scenario& scenario,
          const simulation::RunResult& fixed, bool energy) {
  const auto ours = bench.run(scenario, kOurs);
  const double change = energy ? ours.joules / fixed.joules - 1 : ours.money / fixed.money - 1;
  const bool met = ours.share_within_objective() >= kNeeded;
  const std::string name = (energy ? "kpi.energy." : "kpi.cost.") + set;
  bench.figures.add(name + ".within-objective", 100 * ours.share_within_objective(), "%",
                    perf::at_least(100 * kNeeded));
  bench.figures.add(name + ".to-static", 100 * change, "%");
  bench.figures.add(name + ".to-static-at-objective", met ? 100 * change : 0, "%",
                    perf::at_most(energy ? -30 : -25));
}

}  // namespace

void measure_cost(Bench& bench) {
  for (const auto& set : bench.sets) {
    FleetPlan plan = bench.plan();
    plan.load = 0.65;
    plan.duration = bench.quick ? 24 : 60;
    plan.warmup = bench.quick ? 6 : 10;
    auto scenario = day_and_night(plan, set.inputs);
    const auto fixed = bench.run(scenario, "static");
    bench.figures.add("kpi.days." + set.name + ".static.within-objective",
                      100 * fixed.share_within_objective(), "%");
    for (const bool energy : {false, true}) {
      scenario.services.front().objective = {
          .balance = 0.1, .latency = 1, .money = energy ? 0.0 : 1.0, .energy = energy ? 1.0 : 0.0};
      save(bench, set.name, scenario, fixed, energy);
    }
  }
}

}  // namespace penstock::kpi
