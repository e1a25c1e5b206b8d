// The usual weighted Maglev construction, as a rival to race: backends take turns in proportion to their
// weights and claim their next free slot of a permutation, until the table is full (Eisenbud et al., NSDI
// '16, section 3.4, with turns skipped by weight). Rebuilt from nothing at every change.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/hash/maglev.h"

namespace penstock::perf {

/// Slot → index. `weight` counts, `base_weight` is not read; at least one weight must not be 0.
[[nodiscard]] std::vector<std::uint16_t> turn_skipping_maglev(std::span<const MaglevBackend> backends,
                                                              std::uint32_t size, std::uint64_t seed);

}  // namespace penstock::perf
