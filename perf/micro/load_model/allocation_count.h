// Calls of malloc, and of what the C++ library makes of it, by this process so far.
#pragma once

#include <cstdint>

namespace penstock::perf {

[[nodiscard]] std::uint64_t allocation_count();

}  // namespace penstock::perf
