// What a run of the simulator costs: 1,000 nodes of three sizes at 70 % load, 10 million flows of bounded
// Pareto sizes, four gateways, 100 ms telemetry. --quick: a tenth of both.
#include <string>

#include "controlplane/simulation/policies/catalogue.h"
#include "controlplane/simulation/simulator.h"
#include "perf/micro/report/figures.h"

namespace {

using namespace penstock::simulation;

Scenario fleet(std::size_t nodes, double flows) {
  constexpr double kLoad = 0.7, kMeanSize = 0.02;
  Scenario scenario;
  scenario.name = "unequal fleet";
  scenario.nodes.resize(nodes);
  scenario.gateways.resize(4);
  Service service;
  double capacity = 0;
  for (std::size_t i = 0; i < nodes; ++i) {
    scenario.nodes[i].capacity[0] = static_cast<double>(1 + i % 3);
    capacity += scenario.nodes[i].capacity[0];
    service.weights.push_back(static_cast<std::uint32_t>(300 * (1 + i % 3)));
  }
  const double rate = kLoad * capacity / kMeanSize;
  service.arrivals = ArrivalProcess::poisson(rate);
  service.size = SizeDistribution::bounded_pareto(1.5, 1000, kMeanSize);
  scenario.services.push_back(service);
  scenario.duration = flows / rate;
  return scenario;
}

}  // namespace

int main(int argc, char** argv) {
  using penstock::perf::Samples;
  const penstock::perf::BenchOptions options = penstock::perf::bench_options_or_exit(argc, argv);
  const double flows = options.quick ? 1e6 : 10e6;
  const Scenario scenario = fleet(options.quick ? 100 : 1000, flows);
  penstock::perf::Figures figures("simulator");
  for (const char* name : {"static", "two-choices", "orca-wrr"}) {
    const auto policy = make_policy(name);
    const RunResult result = run(scenario, *policy);
    const std::string prefix = std::string("simulator.") + name;
    figures.add(prefix + ".wall", Samples({result.wall_seconds}), "s", penstock::perf::at_most(120));
    figures.add(prefix + ".flow", Samples({result.wall_seconds * 1e6 / static_cast<double>(result.flows)}),
                "us");
    figures.add(prefix + ".event", Samples({result.wall_seconds * 1e9 / static_cast<double>(result.events)}),
                "ns");
  }
  return figures.finish(options);
}
