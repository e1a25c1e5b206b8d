// Runs a scenario under a policy: a discrete-event simulation of flows on processor-sharing nodes.
//
// Deterministic: equal scenario, policy and hashing give an equal RunResult::fingerprint(). One thread per
// run; runs in different threads share nothing. About 1 us an event; a flow is two events and a node's report
// one.
#pragma once

#include <string>

#include "controlplane/simulation/hashing.h"
#include "controlplane/simulation/policy.h"
#include "controlplane/simulation/run_result.h"
#include "controlplane/simulation/scenario.h"

namespace penstock::simulation {

/// Empty, or the field of the scenario that makes no sense: "nodes[3].capacity: ...".
[[nodiscard]] std::string problem_of(const Scenario& scenario);

/// The scenario must have no problem.
[[nodiscard]] RunResult run(const Scenario& scenario, Policy& policy,
                            const HashingFactory& hashing = make_reference_hashing);

}  // namespace penstock::simulation
