// Gives free slots to backends that are short of slots, each exactly as many as it lacks.
//
// Every slot looks at a few candidates, the same ones whenever it is free: the owners of random other slots
// in the base table, so a backend turns up in proportion to its base share. Those that still lack slots run
// an exponential race (weighted rendezvous hashing): the smallest E(slot, backend) / (lack / base share)
// wins. A small change of what the backends lack therefore changes few choices. When no candidate lacks
// anything, the next backend by rank that does takes the slot.
//
// The order of the take() calls matters, and is the caller's promise to keep deterministic. One thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace penstock {

/// The owner of a slot that nobody has claimed yet.
inline constexpr std::uint16_t kNoOwner = 0xFFFF;

class HandOver {
 public:
  /// owners: slot → rank in the base table, kNoOwner entries are skipped; read at every take().
  /// base_shares, lacks: slots per rank. identities: per rank. All spans but `lacks` must outlive this
  /// object.
  HandOver(std::span<const std::uint16_t> owners, std::span<const std::uint64_t> identities,
           std::span<const std::uint32_t> base_shares, std::vector<std::uint32_t> lacks, std::uint64_t seed);

  /// The rank that gets `slot`. At most as many calls as the lacks sum up to.
  [[nodiscard]] std::uint16_t take(std::uint32_t slot) noexcept;

 private:
  [[nodiscard]] std::uint32_t next_lacking(std::uint32_t rank) const noexcept;

  std::span<const std::uint16_t> drawn_;
  std::span<const std::uint64_t> identities_;
  std::span<const std::uint32_t> base_shares_;
  std::vector<std::uint32_t> wanted_;   // at the start: the race's weights must not depend on the order
  std::vector<std::uint32_t> lacks_;    // still
  std::vector<std::uint64_t> lacking_;  // bit per rank: lacks_[rank] != 0
  std::uint64_t seed_;
};

}  // namespace penstock
