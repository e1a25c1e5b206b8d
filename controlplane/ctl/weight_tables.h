// Policies, the reasons of weights and their history as tables. As in documents.h, what a document lacks is
// an empty cell.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "controlplane/ctl/rest_client.h"

namespace penstock {

/// What `weights history` takes on the command line.
struct HistoryFlags {
  std::string since = "10m";  // durations.h
  std::uint32_t limit = 60;   // instants
};

/// A list of documents.
std::string policies_table(const Json& policies);

/// The answer of weights:explain: the service's lines, then one row for each backend.
std::string explain_table(const Json& document);

/// The answer of weights/history: one row for each instant and backend.
std::string history_table(const Json& document);

}  // namespace penstock
