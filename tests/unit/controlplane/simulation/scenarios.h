// Small scenarios that tests start from.
#pragma once

#include <cstdlib>

#include "controlplane/simulation/policies/static_weights.h"
#include "controlplane/simulation/simulator.h"

namespace penstock::simulation {

/// Sanitizers make a run ten times slower: fewer flows there, and more tolerance for it.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr double kFlowShare = 0.2, kTolerance = 0.12;
#else
inline constexpr double kFlowShare = 1, kTolerance = 0.02;
#endif

/// n nodes of capacity 1; one service, size 1 on average, with this many new flows a second.
inline Scenario fleet(std::size_t n, double rate, double seconds) {
  Scenario scenario;
  scenario.duration = seconds;
  scenario.nodes.resize(n);
  Service service;
  service.arrivals = ArrivalProcess::poisson(rate);
  scenario.services.push_back(service);
  return scenario;
}

/// Flows at exactly these times with these sizes.
inline Scenario script(std::size_t n, std::vector<double> times, std::vector<double> sizes,
                       double seconds = 1000) {
  Scenario scenario = fleet(n, 0, seconds);
  scenario.services[0].arrivals = {
      .rate = {}, .bursts = {}, .times = std::move(times), .sizes = std::move(sizes)};
  return scenario;
}

inline RunResult run_static(const Scenario& scenario) {
  StaticWeights policy;
  return run(scenario, policy);
}

}  // namespace penstock::simulation
