// The server's documents as tables, and what an operator types as documents.
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

/// "id=be1,address=10.0.0.1,weight=3,drain=true": id and address are needed. Ranges are left to the server.
Result<Json> backend_from_text(const std::string& text);

/// "SERVICE/BACKEND" as its two ids.
Result<std::pair<std::string, std::string>> service_and_backend(const std::string& text);

}  // namespace penstock
