// Where a figure was measured. Figures from hosts with different fingerprints are not comparable.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace penstock::perf {

/// Key and text pairs in a fixed order: cpu, cores, kernel, compiler, build_type, march, governor,
/// hugepages_2m, date (UTC, ISO 8601), revision. What the host does not tell reads "unknown".
[[nodiscard]] std::vector<std::pair<std::string, std::string>> host_fingerprint();

}  // namespace penstock::perf
