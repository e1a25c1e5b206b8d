// What is wrong with a document: every problem found, each with the path of its field, so that one answer
// tells the operator all there is to fix.
#pragma once

#include <string>
#include <vector>

namespace penstock {

/// `field` is a path such as `services[3].backends[0].weight`; empty when the document as a whole is to
/// blame. `detail` is a clause that reads on after the field: "must be 0–1000".
struct Problem {
  std::string field;
  std::string detail;

  bool operator==(const Problem&) const = default;
};

using Problems = std::vector<Problem>;

/// "field: detail; field: detail" for logs.
[[nodiscard]] std::string text(const Problems& problems);

/// `path` and `key` joined by a dot, or `key` alone below the root.
[[nodiscard]] std::string field_path(const std::string& path, const std::string& key);

}  // namespace penstock
