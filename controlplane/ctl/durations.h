// Times as an operator types them.
#pragma once

#include <cstdint>
#include <string>

#include "penstock/base/result.h"

namespace penstock {

/// "90s", "10m", "2h", or a bare number of seconds. InvalidArgument names `flag`.
Result<std::uint32_t> seconds_from_text(const std::string& flag, const std::string& text);

/// "20ms", "2s", "10m", "1h", or 0. A bare number would be taken for seconds by some and for milliseconds by
/// others, so it is refused.
Result<std::uint32_t> milliseconds_from_text(const std::string& flag, const std::string& text);

/// The same the other way round, in the largest unit that holds it: "1500ms", "2s", "0s".
std::string text_of_milliseconds(std::uint64_t milliseconds);

}  // namespace penstock
