// Gives free slots to backends that are short of slots, each exactly as many as it lacks.
//
// Every slot has a few racers, the same ones whenever it is free: the owners of random other slots in the
// base table, so a backend turns up in proportion to its base share, one after the other at random times. The
// slot goes to the racer with the largest pull / time, a backend's pull being what it lacks per chance to be
// drawn: an exponential race, that is weighted rendezvous hashing, under which a small change of what
// the backends lack changes few choices.
//
// Left at that, chance would give some backends more than they lack, and where their surplus goes instead is
// less steady than the race. So the pulls are first corrected by the numbers of slots that they would win, a
// few times over, which moves only slots whose race was close. Whoever still has too many drops its closest
// wins. Those go to their best racer that still lacks slots, or to the next backend by rank that does.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace penstock {

/// The owner of a slot that nobody has claimed yet.
inline constexpr std::uint16_t kNoOwner = 0xFFFF;

/// The rank that each of `slots` goes to, in their order; everybody gets exactly what it lacks.
/// owners: slot → rank in the base table, kNoOwner entries are skipped. lacks: slots per rank, at most
/// 65,535 ranks; they must sum up to the number of slots. Deterministic, integers only. Any thread.
[[nodiscard]] std::vector<std::uint16_t> hand_over(std::span<const std::uint32_t> slots,
                                                   std::span<const std::uint16_t> owners,
                                                   std::span<const std::uint32_t> lacks, std::uint64_t seed);

}  // namespace penstock
