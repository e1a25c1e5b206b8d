// What stands behind the "?" of a request's target, for the few resources that take something there.
#pragma once

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>

#include "controlplane/model/problems.h"

namespace penstock {

/// "from=-600&limit=10" by name, decoded. Each name is one of `known` and given once; else a problem names
/// it.
[[nodiscard]] std::map<std::string, std::string> read_query(std::string_view target,
                                                            std::initializer_list<const char*> known,
                                                            Problems& problems);

}  // namespace penstock
