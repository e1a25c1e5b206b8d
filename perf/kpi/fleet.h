// The scenarios that policies are judged in. What is compiled in needs no data; with data, machines, sizes
// and arrivals are real ones.
//
// Sizes are core-seconds. An operator knows a node's cores and configures them as its weight; he does not
// know that machines of one type differ, nor who else runs on them.
#pragma once

#include <cstdint>

#include "controlplane/simulation/scenario.h"
#include "perf/kpi/inputs.h"

namespace penstock::kpi {

struct FleetPlan {
  std::uint32_t nodes = 16;
  double load = 0.7;  // of the capacity that is left beside what others use, on average over the run
  double duration = 40;
  double warmup = 15;
  double mean_size = 0.004;
  double latency_objective = 3;  // times what the 99th percentile of flows takes a nominal core alone
  double flash_crowd =
      1;  // factor of the rate for a tenth of the time; with inputs any above 1 is the World Cup's
  bool background = true;  // a burner on some nodes
  double telemetry_delay = 0.02;
  std::uint64_t seed = 1;
};

/// `inputs` may be null.
[[nodiscard]] simulation::Scenario fleet(const FleetPlan& plan, const Inputs* inputs);

/// Days and nights (in `duration` seconds), machines of three prices and power curves, parking allowed.
/// plan.load is the load at noon; at night a quarter of it is left. With inputs the curve is two days of the
/// MongoDB series.
[[nodiscard]] simulation::Scenario day_and_night(const FleetPlan& plan, const Inputs* inputs);

/// The inference service: its requests at its times and of its sizes, in `duration` seconds.
/// plan.load is the load of the busiest twentieth: beyond what the fleet can carry, all policies only queue.
[[nodiscard]] simulation::Scenario inference(const FleetPlan& plan, const Inputs& inputs);

/// Cores that are not the background's, of all nodes at the start.
[[nodiscard]] double free_cores(const simulation::Scenario& scenario);

/// Cores that its first service needs on average, by its distribution.
[[nodiscard]] double demand_of(const simulation::Scenario& scenario);

/// Weights of its first service by perfect knowledge: at `demand` cores of work every node that takes some is
/// as full as any other, background included. What is left of unevenness under them is chance.
void set_ideal_weights(simulation::Scenario& scenario, double demand);

}  // namespace penstock::kpi
