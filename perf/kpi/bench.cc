#include <cstdio>
#include <cstdlib>

#include "controlplane/simulation/policies/catalogue.h"
#include "controlplane/simulation/simulator.h"
#include "perf/kpi/experiments.h"
#include "perf/kpi/maglev_hashing.h"
#include "perf/kpi/planner_policy.h"

namespace penstock::kpi {
namespace {

[[noreturn]] void end(const std::string& text) {
  std::fprintf(stderr, "kpi_bench: %s\n", text.c_str());
  std::exit(1);
}

}  // namespace

simulation::RunResult Bench::run(const simulation::Scenario& scenario, std::string_view policy) {
  if (const auto problem = simulation::problem_of(scenario); !problem.empty())
    end(scenario.name + ": " + problem);
  std::unique_ptr<simulation::Policy> judged;
  if (policy == kOurs) {
    judged = std::make_unique<Penstock>(std::string(policy), simulation::HotCold::Settings::gentle(), planner,
                                        most_utilization);
  } else if (policy == kStrict) {
    judged = std::make_unique<Penstock>(std::string(policy), simulation::HotCold::Settings{}, planner,
                                        most_utilization);
  } else if (policy == kWeightsOnly) {
    judged = std::make_unique<PlannerPolicy>(planner, most_utilization);
  } else if (policy == kIdeal) {
    judged = simulation::make_policy("static");
  } else {
    judged = simulation::make_policy(policy);
  }
  if (!judged) end("no policy '" + std::string(policy) + "'");
  simulation::Scenario own = scenario;
  if (policy == kIdeal) set_ideal_weights(own, demand_of(own));
  auto result = simulation::run(own, *judged, make_maglev_hashing);
  result.policy = policy;
  flows += result.flows;
  if (policy == kOurs) moved += result.moved_flows;
  std::fprintf(stderr, "  %-16s %-17s %8llu flows %6.2f s\n", scenario.name.c_str(),
               std::string(policy).c_str(), static_cast<unsigned long long>(result.flows),
               result.wall_seconds);
  return result;
}

std::vector<std::string_view> Bench::policies() const {
  if (quick) return {kOurs, kStrict, kWeightsOnly, "static", "orca-wrr", "prequal", "oracle"};
  std::vector<std::string_view> all{kOurs, kStrict, kWeightsOnly};
  for (const auto name : simulation::policy_names()) all.push_back(name);
  return all;
}

FleetPlan Bench::plan() const {
  FleetPlan plan;
  if (quick) {
    plan.nodes = 6;
    plan.duration = 20;
    plan.warmup = 8;
  }
  return plan;
}

void Bench::draw(const std::string& name, const std::string& svg) const {
  if (plots.empty()) return;
  if (const auto done = write_text(plots + "-" + name + ".svg", svg); !done) end(done.error().text());
}

}  // namespace penstock::kpi
