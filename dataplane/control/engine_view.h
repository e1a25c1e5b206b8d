// What control/ needs to know of the engine, so that it depends on no DPDK and tests can stand one up
// without. main() fills it. The callables may be called from any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "dataplane/config/backend_states.h"
#include "dataplane/flow/flow_census.h"
#include "dataplane/flow/flow_table.h"
#include "dataplane/probe/direct_rounds.h"
#include "dataplane/probe/health_report.h"
#include "dataplane/probe/probe_counters.h"
#include "dataplane/stats/lcore_counters.h"
#include "dataplane/sync/replication.h"
#include "penstock/base/result.h"
#include "penstock/base/units.h"
#include "penstock/net/addr.h"

namespace penstock {

struct PortView {
  std::string name;
  std::uint64_t rx_packets = 0;
  std::uint64_t tx_packets = 0;
  std::uint64_t rx_missed = 0;
  std::uint64_t rx_errors = 0;
  std::uint64_t tx_errors = 0;
  std::uint64_t steered = 0;  // by the XDP program, to this port
  std::uint64_t passed = 0;   // by the XDP program, to the kernel
};

struct EngineView {
  std::vector<const LcoreCounters*> counters;  // by lcore
  std::vector<const FlowTable*> flows;         // by lcore
  const FlowCensus* census = nullptr;          // BackendStats.flows; null: nobody counts
  std::vector<std::string> flow_origins;       // by lcore: LcoreStats.flow_table; may be shorter
  std::function<std::vector<PortView>()> ports;
  std::function<ProbeCounters()> probes = {};    // empty: this gateway does not probe
  std::function<DirectCounters()> direct = {};   // empty: it checks no backend itself
  const BackendStates* states = nullptr;         // null: nobody looks
  // Of each, what the judge knows; empty: there is none.
  std::function<void(std::span<const BackendIndex>, std::vector<BackendReport>&)> health = {};
  // What the fleet says, from now on; empty: nobody asks.
  std::function<void(std::span<const FleetVerdict>)> fleet = {};
  std::function<Nanoseconds()> oldest_progress;  // age of the laggard worker's last completed poll
  Replication* replication = nullptr;            // null: off
};

}  // namespace penstock
