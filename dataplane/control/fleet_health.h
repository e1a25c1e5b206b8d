// SetFleetHealth: names -> the backends that run here. Any thread.
#pragma once

#include <cstddef>
#include <vector>

#include "dataplane/config/snapshot.h"
#include "dataplane/probe/health_report.h"

namespace penstock::proto {
class FleetHealth;
}

namespace penstock {

struct FleetVerdicts {
  std::vector<FleetVerdict> verdicts;  // one a backend
  std::size_t unknown = 0;             // that name no backend here: this gateway's configuration is another
};

/// Of several verdicts on one backend the last counts.
[[nodiscard]] FleetVerdicts read_fleet_health(const Snapshot& snapshot, const proto::FleetHealth& health);

}  // namespace penstock
