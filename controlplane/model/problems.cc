#include "controlplane/model/problems.h"

namespace penstock {

std::string text(const Problems& problems) {
  std::string out;
  for (const Problem& problem : problems) {
    if (!out.empty()) out += "; ";
    if (!problem.field.empty()) out += problem.field + ": ";
    out += problem.detail;
  }
  return out;
}

std::string field_path(const std::string& path, const std::string& key) {
  return path.empty() ? key : path + "." + key;
}

}  // namespace penstock
