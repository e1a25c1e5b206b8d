#include "dataplane/hash/hand_over.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "dataplane/hash/mix.h"
#include "dataplane/hash/table_size.h"

namespace penstock {

namespace {

// Four racers of sixteen draws: more of either costs time and moves hardly fewer slots (README.md has the
// numbers).
constexpr int kDraws = 16;
constexpr int kRacers = 4;
// Candidates are drawn from the first slots only, so that the draws stay in the first-level cache.
constexpr std::size_t kDrawnSlots = 16'384;

// -log2(u / 2^32) in 16.16 fixed point, by a straight line between powers of two: at most 0.09 off, which
// bends the race by a few percent and, unlike libm, cannot differ between two machines.
constexpr std::uint32_t exponential(std::uint32_t uniform) noexcept {
  const std::uint32_t u = uniform | 1;
  const int log = std::bit_width(u) - 1;
  const auto fraction = static_cast<std::uint32_t>(((std::uint64_t{u} << (32 - log)) & 0xFFFF'FFFFu) >> 16);
  return ((32u - static_cast<std::uint32_t>(log)) << 16) - fraction;
}

}  // namespace

HandOver::HandOver(std::span<const std::uint16_t> owners, std::span<const std::uint64_t> identities,
                   std::span<const std::uint32_t> base_shares, std::vector<std::uint32_t> lacks,
                   std::uint64_t seed)
    : drawn_(owners.first(std::min(owners.size(), kDrawnSlots))),
      identities_(identities),
      base_shares_(base_shares),
      wanted_(lacks),
      lacks_(std::move(lacks)),
      lacking_((lacks_.size() + 63) / 64),
      seed_(seed) {
  for (std::size_t rank = 0; rank < lacks_.size(); ++rank) {
    if (lacks_[rank] != 0) lacking_[rank / 64] |= std::uint64_t{1} << (rank % 64);
  }
}

std::uint16_t HandOver::take(std::uint32_t slot) noexcept {
  const std::uint64_t slot_bits = mix(seed_, slot);
  const auto size = static_cast<std::uint32_t>(drawn_.size());
  std::uint32_t start = 0;
  std::uint32_t winner = kNoOwner;
  std::uint64_t best_time = 0;    // the winner's E × base share …
  std::uint64_t best_weight = 1;  // … to be divided by what it wanted
  int racers = 0;
  for (int draw = 0; draw < kDraws && racers < kRacers; ++draw) {
    const std::uint32_t rank = drawn_[slot_of(mix(slot_bits, static_cast<std::uint64_t>(draw)), size)];
    if (rank == kNoOwner) continue;
    start = rank;
    if (lacks_[rank] == 0) continue;
    ++racers;
    // 22 bits × 24 bits on either side of the comparison, × 24 bits: only just beyond 64, hence the wide
    // product.
    const std::uint64_t time =
        std::uint64_t{exponential(static_cast<std::uint32_t>(mix(slot_bits, identities_[rank]) >> 32))} *
        base_shares_[rank];
    const std::uint64_t weight = wanted_[rank];
    if (winner == kNoOwner ||
        static_cast<uint128>(time) * best_weight < static_cast<uint128>(best_time) * weight) {
      winner = rank;
      best_time = time;
      best_weight = weight;
    }
  }
  if (winner == kNoOwner) winner = next_lacking(start);
  if (--lacks_[winner] == 0) lacking_[winner / 64] &= ~(std::uint64_t{1} << (winner % 64));
  return static_cast<std::uint16_t>(winner);
}

std::uint32_t HandOver::next_lacking(std::uint32_t rank) const noexcept {
  std::size_t word = rank / 64;
  std::uint64_t bits = lacking_[word] & (~std::uint64_t{0} << (rank % 64));
  while (bits == 0) {
    word = word + 1 == lacking_.size() ? 0 : word + 1;
    bits = lacking_[word];
  }
  return static_cast<std::uint32_t>(word * 64 + static_cast<std::size_t>(std::countr_zero(bits)));
}

}  // namespace penstock
