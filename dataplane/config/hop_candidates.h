// Who may hold a flow that has no entry here: the answer that second chance rests on.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "dataplane/config/snapshot.h"

namespace penstock {

/// Backends of one service, each once, the most likely first.
class HopCandidates {
 public:
  static constexpr std::size_t kMost = 1 + SlotHistory::kMost + 2;

  void add(BackendIndex backend) noexcept {
    for (std::uint32_t i = 0; i < count_; ++i) {
      if (backends_[i] == backend) return;
    }
    backends_[count_++] = backend;
  }
  [[nodiscard]] std::span<const BackendIndex> all() const noexcept { return {backends_.data(), count_}; }
  [[nodiscard]] bool holds(BackendIndex backend) const noexcept {
    for (const BackendIndex b : all()) {
      if (b == backend) return true;
    }
    return false;
  }

 private:
  std::array<BackendIndex, kMost> backends_;
  std::uint32_t count_ = 0;
};

/// In this order: the slot's owner now, its owners before (the latest first), its owner in the base table,
/// its alternate. Drained backends and those of weight 0 are among them: their flows go on, until the drain
/// is over. Nobody is, if no backend takes new flows and none ever did. service: has second chance
/// (ServiceRecord::hops). Any thread.
[[nodiscard]] HopCandidates hop_candidates(const Snapshot& snapshot, ServiceIndex service,
                                           std::uint32_t slot) noexcept;

/// Whether a gateway that has this configuration and remembers no other gets the flow's packets to `backend`,
/// which is one of a living service. False is safe. Any thread.
[[nodiscard]] bool every_gateway_finds(const Snapshot& snapshot, BackendIndex backend,
                                       std::uint64_t digest) noexcept;

}  // namespace penstock
