// Where a newcomer goes, and who moves or gives way for it.
#include <array>
#include <cstddef>

#include "dataplane/flow/flow_buckets.h"

namespace penstock {
namespace {

// Breadth-first search over the buckets that entries could move to. 64 buckets are all within two moves and
// some within three: enough to fill a table to 96 % (flowtable_bench measures it).
constexpr std::size_t kSearchBuckets = 64;

struct Step {
  std::uint32_t bucket;
  std::uint8_t parent;       // index of the Step that this bucket was reached from
  std::uint8_t parent_slot;  // by moving this slot's entry
};

}  // namespace

std::uint64_t FlowBuckets::tag_at(FlowSlot at) const noexcept {
  const FlowBucket& b = buckets_[at.bucket];
  return b.tags[at.slot] | b.words[at.slot] >> flow_word::kTagShift << 32;
}

FlowSlot FlowBuckets::vacant_slot(std::uint32_t index) const noexcept {
  const FlowBucket& b = buckets_[index];
  std::uint32_t expired = kSlotsPerBucket;
  for (std::uint32_t i = 0; i < kSlotsPerBucket; ++i) {
    if (b.words[i] == 0) return {index, i};
    if (!flow_word::lives(b.words[i], header_->clock)) expired = i;
  }
  return {index, expired};
}

FlowSlot FlowBuckets::unconfirmed_slot(std::uint32_t index, std::uint64_t digest) const noexcept {
  const FlowBucket& b = buckets_[index];
  // Starting anywhere spreads the evictions: an attack favours no service's timeouts and no age.
  const auto start = static_cast<std::uint32_t>((digest >> 32 & 0xff) * kSlotsPerBucket >> 8);
  for (std::uint32_t i = 0; i < kSlotsPerBucket; ++i) {
    const std::uint32_t slot = (start + i) % kSlotsPerBucket;
    if (!is_confirmed(flow_word::state(b.words[slot]))) return {index, slot};
  }
  return {index, kSlotsPerBucket};
}

void FlowBuckets::clear(FlowSlot at) noexcept {
  FlowBucket& b = buckets_[at.bucket];
  const std::uint64_t word = b.words[at.slot];
  if (word == 0) return;
  if (flow_word::displaced(word)) {
    FlowBucket& home = buckets_[other_of(at.bucket, tag_at(at))];
    publish(home.displaced, home.displaced - 1);
  }
  publish(b.words[at.slot], std::uint64_t{0});
  publish(header_->size, header_->size - 1);
  if (is_confirmed(flow_word::state(word))) publish(header_->confirmed, header_->confirmed - 1);
}

void FlowBuckets::reclaim(FlowSlot at) noexcept {
  if (buckets_[at.bucket].words[at.slot] == 0) return;
  clear(at);
  publish(header_->expired, header_->expired + 1);
}

void FlowBuckets::occupy(FlowSlot at, std::uint64_t digest, std::uint64_t word, std::uint32_t home) noexcept {
  if (at.bucket != home) {
    word |= flow_word::kDisplacedBit;
    publish(buckets_[home].displaced, buckets_[home].displaced + 1);
  }
  FlowBucket& b = buckets_[at.bucket];
  publish(b.tags[at.slot], static_cast<std::uint32_t>(digest));
  publish(b.words[at.slot], word);
  publish(header_->size, header_->size + 1);
  publish(header_->inserted, header_->inserted + 1);
}

void FlowBuckets::move(FlowSlot from, FlowSlot to) noexcept {
  FlowBucket& source = buckets_[from.bucket];
  FlowBucket& target = buckets_[to.bucket];
  const std::uint64_t word = source.words[from.slot];
  if (flow_word::displaced(word)) {
    publish(target.displaced, target.displaced - 1);
  } else {
    publish(source.displaced, source.displaced + 1);
  }
  publish(target.tags[to.slot], source.tags[from.slot]);
  publish(target.words[to.slot], word ^ flow_word::kDisplacedBit);
  publish(source.words[from.slot], std::uint64_t{0});
  publish(header_->moved, header_->moved + 1);
}

void FlowBuckets::vacate(FlowSlot at) noexcept {
  const std::uint64_t word = buckets_[at.bucket].words[at.slot];
  if (!flow_word::lives(word, header_->clock)) return reclaim(at);
  clear(at);
  publish(header_->evicted, header_->evicted + 1);
}

FlowSlot FlowBuckets::make_room(std::uint32_t home, std::uint32_t second, std::uint64_t digest,
                                Search search) noexcept {
  std::array<Step, kSearchBuckets> steps;
  std::size_t known = 0;
  const auto reach = [&](std::uint32_t index, std::size_t parent, std::uint32_t slot) {
    for (std::size_t i = 0; i < known; ++i) {
      if (steps[i].bucket == index) return;
    }
    if (known == kSearchBuckets) return;
    steps[known++] = {index, static_cast<std::uint8_t>(parent), static_cast<std::uint8_t>(slot)};
  };
  reach(home, 0, kSlotsPerBucket);
  reach(second, 0, kSlotsPerBucket);
  for (std::size_t at = 0; at < known; ++at) {
    std::array<std::uint32_t, kSlotsPerBucket> others{};
    for (std::uint32_t slot = 0; slot < kSlotsPerBucket; ++slot) {
      others[slot] = other_of(steps[at].bucket, tag_at({steps[at].bucket, slot}));
      __builtin_prefetch(&buckets_[others[slot]]);
    }
    for (std::uint32_t slot = 0; slot < kSlotsPerBucket; ++slot) {
      const FlowState mover = flow_word::state(buckets_[steps[at].bucket].words[slot]);
      if (search == Search::kMoveUnconfirmed && is_confirmed(mover)) continue;
      // A bucket that is on the path already has no hole, or the search would have ended there.
      FlowSlot hole = vacant_slot(others[slot]);
      if (!hole.found() && search == Search::kEvict) hole = unconfirmed_slot(others[slot], digest);
      if (!hole.found()) {
        reach(others[slot], at, slot);
        continue;
      }
      vacate(hole);
      FlowSlot moving{steps[at].bucket, slot};
      for (std::size_t step = at;; step = steps[step].parent) {
        move(moving, hole);
        hole = moving;
        if (steps[step].parent_slot == kSlotsPerBucket) return hole;
        moving = {steps[steps[step].parent].bucket, steps[step].parent_slot};
      }
    }
  }
  return {};
}

FlowSlot FlowBuckets::find_room(std::uint32_t home, std::uint32_t second, std::uint64_t digest) noexcept {
  // Above 31/32 a search mostly fails, and is what a flood would cost most by: give up at once there.
  const std::uint64_t limit = slot_count() - slot_count() / 32;
  // More unconfirmed flows than this are a flood. It must not push established flows out of their home
  // buckets, where the first probe finds them.
  const bool flooded = header_->size - header_->confirmed > slot_count() / 8;
  const Search vacancy = flooded ? Search::kMoveUnconfirmed : Search::kMoveAny;
  FlowSlot at = vacant_slot(home);
  if (!at.found()) at = vacant_slot(second);
  if (!at.found() && header_->size < limit) at = make_room(home, second, digest, vacancy);
  if (!at.found()) at = unconfirmed_slot(home, digest);
  if (!at.found()) at = unconfirmed_slot(second, digest);
  if (!at.found() && header_->confirmed < limit) at = make_room(home, second, digest, Search::kEvict);
  return at;
}

InsertResult FlowBuckets::place(std::uint64_t digest, std::uint64_t word) noexcept {
  const std::uint32_t home = home_of(digest);
  const std::uint64_t evicted_before = header_->evicted;
  const FlowSlot at = find_room(home, other_of(home, digest), digest);
  if (!at.found()) {
    publish(header_->full, header_->full + 1);
    return InsertResult::kFull;
  }
  vacate(at);
  occupy(at, digest, word, home);
  return header_->evicted == evicted_before ? InsertResult::kInserted : InsertResult::kEvicted;
}

}  // namespace penstock
