// Times as an operator types them.
#pragma once

#include <cstdint>
#include <string>

#include "penstock/base/result.h"

namespace penstock {

/// "90s", "10m", "2h", or a bare number of seconds. InvalidArgument names `flag`.
Result<std::uint32_t> seconds_from_text(const std::string& flag, const std::string& text);

}  // namespace penstock
