// A service's Health as it travels. Only what differs from the default is said, so that most services say
// nothing, and what gateways and nodes do with a missing field is the default of the same header
// (penstock/config/health_limits.h).
#pragma once

#include "controlplane/model/health.h"
#include "penstock/proto/config.pb.h"
#include "penstock/proto/node.pb.h"

namespace penstock {

void fill(const Check& check, proto::Check& out);
void fill(const Health& health, proto::Health& out);
/// What a node is told: the checks, and how long those that fail hold the service down. Nothing without
/// checks.
void fill_checks(const Health& health, proto::NodeService& out);
void fill_checks(const Health& health, proto::NodeCheckTarget& out);

}  // namespace penstock
