// The wall clock, for deadlines that people set. It may be set back; to measure, take clock.h's.
#pragma once

#include <cstdint>
#include <ctime>

namespace penstock {

inline std::uint64_t unix_seconds_now() noexcept { return static_cast<std::uint64_t>(std::time(nullptr)); }

}  // namespace penstock
