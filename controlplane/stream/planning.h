// What plans weights, as the weight feed calls it: load::Planner's members, or a test's.
#pragma once

#include <functional>
#include <utility>

#include "controlplane/load/planner.h"

namespace penstock {

/// All three are set, or none: then no weight ever moves. Called by one thread.
struct Planning {
  std::function<void(load::PlannerFleet)> configure;
  std::function<void(const load::NodeReport&)> report;
  std::function<const load::Plan&(double now)> step;
};

/// `planner` outlives the result.
inline Planning planning_by(load::Planner& planner) {
  return {.configure = [&planner](load::PlannerFleet fleet) { planner.configure(std::move(fleet)); },
          .report = [&planner](const load::NodeReport& report) { planner.report(report); },
          .step = [&planner](double now) -> const load::Plan& { return planner.step(now); }};
}

}  // namespace penstock
