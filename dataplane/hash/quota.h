// How many of a table's slots each backend is due.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace penstock {

/// Splits `size` slots in proportion to `weights` by largest remainder (Hamilton's method): everyone gets the
/// whole part of its share, the left-over slots go to the largest fractions, equal ones to the lower index.
/// The sum is exactly `size`, a weight of 0 gets 0. At least one weight must not be 0. At most 65,535
/// weights.
[[nodiscard]] std::vector<std::uint32_t> slot_quotas(std::span<const std::uint32_t> weights,
                                                     std::uint32_t size);

}  // namespace penstock
