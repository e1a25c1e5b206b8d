// The health part of a service document for a reader: what the server leaves out is shown with its default.
#pragma once

#include <string>

#include "controlplane/ctl/rest_client.h"

namespace penstock {

/// One line a check; empty for a service without any. A missing or oddly typed member is an empty cell or
/// the default, never an error.
std::string checks_table(const Json& service);
/// When its backends are down, held down, avoided and let back.
std::string health_table(const Json& service);

}  // namespace penstock
