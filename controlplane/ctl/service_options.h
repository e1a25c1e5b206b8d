// The options of `set service`, `create service` and `set backend` on the command line (CLI11).
#pragma once

#include <CLI/CLI.hpp>

#include "controlplane/ctl/service_flags.h"

namespace penstock {

/// `flags` is filled when `to` is parsed and outlives it.
void add_service_options(CLI::App& to, ServiceFlags& flags);
void add_health_options(CLI::App& to, HealthFlags& flags);
void add_workload_options(CLI::App& to, WorkloadFlags& flags);
void add_backend_options(CLI::App& to, BackendFlags& flags);

}  // namespace penstock
