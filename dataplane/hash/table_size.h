// How many slots a service's Maglev table gets, and which slot a flow hash falls into.
#pragma once

#include <cstddef>
#include <cstdint>

#include "dataplane/hash/wide.h"
#include "penstock/config/limits.h"

namespace penstock {

/// The largest table that is chosen without being asked for: 2 MB of slots.
inline constexpr std::uint32_t kMaxChosenTableSize = 1'000'003;

/// Deterministic for every 32-bit number.
[[nodiscard]] bool is_prime(std::uint32_t number) noexcept;

/// The smallest prime of a 1-2-5 ladder (1009, 2003, 5003, 10007 … 1000003) that is at least 1000 × backends,
/// so that one slot is at most 0.1 % of a backend's share; above 1000 backends the ladder's end, which is
/// 100 × backends for the 10,000 that a service may have. The rungs are far apart on purpose: a new size
/// reshuffles the whole table.
[[nodiscard]] std::uint32_t choose_table_size(std::size_t backends) noexcept;

/// Maps a 64-bit flow hash onto [0, size) by its high bits: one multiplication, any size.
/// Whoever splits the same hash further (flow table, RSS) must take low bits.
[[nodiscard]] constexpr std::uint32_t slot_of(std::uint64_t hash, std::uint32_t size) noexcept {
  return static_cast<std::uint32_t>((static_cast<uint128>(hash) * size) >> 64);
}

}  // namespace penstock
