// Which backends owned the slots of a service's table before the ones that do now: where a flow may live that
// began under an earlier table and has no entry at this gateway.
//
// - A slot remembers its three latest owners, each once, the latest first, the owner of now left out.
// Backends
//   are named by BackendIndex, so a list of backends that grows or shrinks needs no translation; whoever
//   reads checks that the index still is a backend of the service.
// - Memory is untouched until a slot changes hands: 8 bytes a slot then, by the page.
// - One history serves all snapshots of a service. The control thread writes words in place, workers read
//   them whole. A worker that still runs the table before sees at most one owner twice, which it sorts out.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>

#include "dataplane/flow/flow_bucket.h"

namespace penstock {

class SlotHistory {
 public:
  static constexpr std::size_t kMost = 3;
  /// The latest first; kNoBackend where there is none.
  using Owners = std::array<BackendIndex, kMost>;

  /// size: slots. Throws std::bad_alloc.
  explicit SlotHistory(std::uint32_t size);

  [[nodiscard]] std::uint32_t size() const noexcept { return size_; }

  // Any thread.
  [[nodiscard]] Owners owners_before(std::uint32_t slot) const noexcept { return unpack(load(slot)); }
  void prefetch(std::uint32_t slot) const noexcept { __builtin_prefetch(&words_[slot]); }

  // Control thread.

  /// The slot passes from `before` to `now`; kNoBackend: it had, or has, no owner.
  void pass_on(std::uint32_t slot, BackendIndex before, BackendIndex now) noexcept;

 private:
  // Three times 21 bits, the latest lowest, each one more than the index; 0 = none.
  static constexpr unsigned kBits = 21;
  static constexpr std::uint64_t kMask = (std::uint64_t{1} << kBits) - 1;
  struct Free {
    void operator()(std::uint64_t* words) const noexcept { std::free(words); }
  };

  [[nodiscard]] static Owners unpack(std::uint64_t word) noexcept {
    Owners out;
    for (BackendIndex& owner : out) {
      owner = static_cast<BackendIndex>((word & kMask) - 1) & kNoBackend;
      word >>= kBits;
    }
    return out;
  }
  [[nodiscard]] std::uint64_t load(std::uint32_t slot) const noexcept {
    return std::atomic_ref<std::uint64_t>(words_[slot]).load(std::memory_order_relaxed);
  }

  std::uint32_t size_;
  std::unique_ptr<std::uint64_t[], Free> words_;
};

/// A table as a history needs it.
struct SlotOwners {
  std::span<const std::uint16_t> owners;  // slot -> position in `backends`; empty: no backend takes new flows
  std::span<const BackendIndex> backends;

  [[nodiscard]] BackendIndex of(std::uint32_t slot) const noexcept {
    return owners.empty() ? kNoBackend : backends[owners[slot]];
  }
};

/// Enters what differs. Both tables have the history's size. Costs a comparison of the tables, and about 10
/// ns for every slot that changed hands.
void record_change(SlotHistory& history, const SlotOwners& before, const SlotOwners& now) noexcept;

/// The history of a table of `size` slots that takes the place of one of `before_size`: a slot inherits from
/// all those before it that share flow hashes with it, as far as there is room. history: may be null.
[[nodiscard]] std::shared_ptr<SlotHistory> resized(const SlotHistory* history, const SlotOwners& before,
                                                   std::uint32_t before_size, const SlotOwners& now,
                                                   std::uint32_t size);

}  // namespace penstock
