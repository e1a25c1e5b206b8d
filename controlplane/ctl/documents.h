// The server's documents as tables.
#pragma once

#include <string>

#include "controlplane/ctl/rest_client.h"

namespace penstock {

/// Each takes a list of documents; a missing or oddly typed member is an empty cell, never an error: a newer
/// server may say things differently.
std::string services_table(const Json& services);
std::string backends_table(const Json& services);  // the backends inside the service documents
std::string gateways_table(const Json& gateways);
std::string nodes_table(const Json& nodes);
std::string status_table(const Json& status);

/// "SERVICE/BACKEND" as its two ids.
Result<std::pair<std::string, std::string>> service_and_backend(const std::string& text);

}  // namespace penstock
