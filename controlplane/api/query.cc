#include "controlplane/api/query.h"

#include <algorithm>

#include "controlplane/api/router.h"

namespace penstock {

std::map<std::string, std::string> read_query(std::string_view target,
                                              std::initializer_list<const char*> known, Problems& problems) {
  std::map<std::string, std::string> out;
  const std::size_t mark = target.find('?');
  std::string_view rest = mark == std::string_view::npos ? "" : target.substr(mark + 1);
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('&'), rest.size());
    const std::string_view part = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const std::size_t equals = std::min(part.find('='), part.size());
    const auto name = percent_decode(part.substr(0, equals));
    const auto value = percent_decode(part.substr(std::min(equals + 1, part.size())));
    if (!name || !value) {
      problems.push_back({std::string(part), "has a '%' that two hexadecimal digits do not follow"});
    } else if (std::find(known.begin(), known.end(), *name) == known.end()) {
      std::string names;
      for (const char* one : known) names += (names.empty() ? "" : ", ") + std::string(one);
      problems.push_back({*name, "is unknown here (known: " + names + ")"});
    } else if (!out.emplace(*name, *value).second) {
      problems.push_back({*name, "is given twice"});
    }
  }
  return out;
}

}  // namespace penstock
