// 128-bit products. A GNU extension that -Wpedantic wants marked once.
#pragma once

namespace penstock {

__extension__ using uint128 = unsigned __int128;

}  // namespace penstock
