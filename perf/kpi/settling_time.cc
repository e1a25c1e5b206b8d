// After half of one node's capacity is lost, and after a step of the load: how long weights take to come to
// rest within 5 %, how far beyond they go, and whether they swing at telemetry delays up to 2 s.
#include <algorithm>
#include <cmath>

#include "perf/kpi/experiments.h"

namespace penstock::kpi {
namespace {

constexpr std::uint32_t kHurt = 2;  // the largest of the first three
constexpr double kTolerance = 0.05;

simulation::Scenario scenario_of(Bench& bench, double delay, bool loses_capacity) {
  FleetPlan plan = bench.plan();
  plan.nodes = 6;
  plan.background = false;
  plan.load = loses_capacity ? 0.6 : 0.5;
  plan.telemetry_delay = delay;
  plan.mean_size = 0.0004;  // many flows in a report, so that what moves is the law and not the flows' noise
  plan.warmup = 10;
  plan.duration = 30;  // a quick run as well: swinging is what goes on long after the event
  auto scenario = fleet(plan, nullptr);
  scenario.name = loses_capacity ? "capacity-loss" : "load-step";
  const double event = plan.warmup + 2;
  if (loses_capacity) {
    scenario.faults.push_back({.time = event,
                               .kind = simulation::FaultKind::kCapacity,
                               .index = kHurt,
                               .dimension = load::Dimension::kCpu,
                               .factor = 0.5});
  } else {
    auto& rate = scenario.services.front().arrivals.rate;
    const double before = rate.front().value;
    rate = {{0, before}, {event, before}, {event + 0.001, 1.6 * before}};
  }
  return scenario;
}

/// The largest swing of the share over the last third of the run, relative to its mean there.
double swing(const simulation::ShareHistory& history, double from) {
  double low = INFINITY, high = -INFINITY, sum = 0;
  int count = 0;
  for (std::size_t i = 0; i < history.times.size(); ++i) {
    if (history.times[i] < from) continue;
    low = std::min(low, history.shares[i]);
    high = std::max(high, history.shares[i]);
    sum += history.shares[i];
    ++count;
  }
  return count ? (high - low) / (sum / count) : 0;
}

Line line_of(const simulation::ShareHistory& history, const std::string& name, double event) {
  Line line{name, {}};
  for (std::size_t i = 0; i < history.times.size(); ++i) {
    if (history.times[i] >= event - 1)
      line.points.emplace_back(history.times[i] - event, 100 * history.shares[i]);
  }
  return line;
}

}  // namespace

namespace {

/// Figures of ours are the ones with targets; others' names end with the policy's.
void settle(Bench& bench, bool loses_capacity, std::string_view policy) {
  const std::string what = loses_capacity ? "capacity-loss" : "load-step";
  const bool ours = policy == kOurs;
  const std::string of = ours ? "" : "." + std::string(policy);
  const auto target = [&](double most) { return ours ? std::optional(perf::at_most(most)) : std::nullopt; };
  Plot plot{.title = "Share of a node's weight after " +
                     std::string(loses_capacity ? "half of its capacity is lost" : "a load step") + ", " +
                     std::string(policy),
            .x_axis = "time since the event, s",
            .y_axis = "share, %",
            .lines = {},
            .y_target = {}};
  double worst_overshoot = 0, worst_swing = 0;
  for (const double delay : {0.0, 0.1, 0.2, 0.5, 1.0, 2.0}) {
    if (bench.quick && delay != 0.0 && delay != 0.1 && delay != 2.0) continue;
    const auto scenario = scenario_of(bench, delay, loses_capacity);
    const double event = scenario.warmup + 2;
    const auto result = bench.run(scenario, policy);
    const auto history = simulation::share_history(result, 0, kHurt);
    const auto rest = simulation::settling(history.times, history.shares, event, kTolerance);
    worst_overshoot = std::max(worst_overshoot, rest.overshoot);
    worst_swing = std::max(worst_swing, swing(history, scenario.duration * 2 / 3));
    char name[32];
    std::snprintf(name, sizeof name, "delay %.1f s", delay);
    plot.lines.push_back(line_of(history, name, event));
    if (delay == 0.0 || delay == 0.1) {
      const std::string at = (delay == 0.0 ? ".delay-0" : ".delay-100ms") + of;
      bench.figures.add("kpi.settling." + what + at, rest.settled_after, "s", target(1));
      bench.figures.add("kpi.overshoot." + what + at, 100 * rest.overshoot, "%", target(5));
    }
  }
  bench.figures.add("kpi.overshoot." + what + ".any-delay" + of, 100 * worst_overshoot, "%", target(5));
  bench.figures.add("kpi.swing." + what + ".any-delay" + of, 100 * worst_swing, "%", target(5));
  bench.draw("settling-" + what + (ours ? "" : "-" + std::string(policy)), svg_of(plot));
}

}  // namespace

void measure_settling(Bench& bench) {
  for (const bool loses_capacity : {true, false}) {
    for (const std::string_view policy : {kOurs, kStrict, kWeightsOnly})
      settle(bench, loses_capacity, policy);
  }
}

}  // namespace penstock::kpi
