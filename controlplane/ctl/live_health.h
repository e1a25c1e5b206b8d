// The server's documents of health as tables. A missing or oddly typed member is an empty cell, never an
// error.
#pragma once

#include <string>

#include "controlplane/ctl/rest_client.h"

namespace penstock {

/// GET /services/{id}/health: a row for each backend.
std::string service_health_table(const Json& document);
/// GET /health: services, the nodes that are not up, and the last events.
std::string health_overview(const Json& document);

/// "51.0ms", "820us", "1.25s"
std::string short_time(double microseconds);
/// "75%"; of a share, 1 = all
std::string short_share(double share);

}  // namespace penstock
