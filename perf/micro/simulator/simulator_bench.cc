// What a run of the simulator costs: wall time, time per flow and per event, for each policy asked for.
//
//   simulator_bench [--nodes N] [--flows N] [--policy NAME ...]
//
// Nodes of three sizes at 70 % load, bounded Pareto sizes, 100 ms telemetry; policies that choose per flow
// over all nodes cost O(nodes) a flow.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <vector>

#include "controlplane/simulation/policies/catalogue.h"
#include "controlplane/simulation/simulator.h"

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
  CLI::App app("What a run of the simulator costs");
  std::size_t nodes = 1000;
  double flows = 10e6;
  std::vector<std::string> policies{"static", "two-choices", "orca-wrr"};
  app.add_option("--nodes", nodes, "nodes of the fleet");
  app.add_option("--flows", flows, "flows of the run, about");
  app.add_option("--policy", policies, "policies, one run each");
  CLI11_PARSE(app, argc, argv);

  const Scenario scenario = fleet(nodes, flows);
  std::printf("%-18s %10s %10s %8s %9s %9s %9s\n", "policy", "flows", "events", "wall s", "us/flow",
              "ns/event", "p99 ms");
  for (const std::string& name : policies) {
    const auto policy = make_policy(name);
    if (!policy) {
      std::fprintf(stderr, "simulator_bench: no policy %s\n", name.c_str());
      return 2;
    }
    const RunResult r = run(scenario, *policy);
    std::printf("%-18s %10llu %10llu %8.2f %9.3f %9.1f %9.1f\n", name.c_str(),
                static_cast<unsigned long long>(r.flows), static_cast<unsigned long long>(r.events),
                r.wall_seconds, r.wall_seconds * 1e6 / static_cast<double>(r.flows),
                r.wall_seconds * 1e9 / static_cast<double>(r.events), r.latency.quantile(0.99) * 1e3);
  }
  return 0;
}
