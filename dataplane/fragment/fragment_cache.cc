#include "dataplane/fragment/fragment_cache.h"

#include <algorithm>
#include <cstring>

namespace penstock {

namespace {

constexpr std::size_t kSlotBytes = kHeldHeadroom + kHeldBytes;
constexpr std::size_t kSetsPerSource = 16;

bool is_dead(Nanoseconds born, Nanoseconds now) noexcept { return born + kFragmentTimeout <= now; }

}  // namespace

FragmentCache::FragmentCache(std::span<const std::uint8_t, 32> key)
    : secret_(key),
      datagrams_(std::make_unique<Datagram[]>(kFragmentDatagrams)),
      slots_(std::make_unique<Slot[]>(kHeldFragments)),
      bytes_(std::make_unique_for_overwrite<std::uint8_t[]>(kHeldFragments * kSlotBytes)) {
  for (std::size_t i = 0; i < kHeldFragments; ++i) free_[i] = static_cast<std::uint16_t>(i);
}

FragmentCache::Place FragmentCache::place_of(const DatagramName& name) const noexcept {
  struct Key {
    std::uint8_t addresses[32];
    std::uint32_t id;
    std::uint32_t rest;
  } key{};
  const std::size_t size = name.is_v6 ? 16 : 4;
  std::memcpy(key.addresses, name.addresses, 2 * size);
  key.id = name.id;
  key.rest = name.is_v6 ? 256U : name.protocol;
  const XXH128_hash_t hash = XXH3_128bits_withSecret(&key, sizeof key, secret_.data(), HashSecret::kBytes);
  const std::uint64_t source =
      XXH3_64bits_withSecret(name.addresses, size, secret_.data(), HashSecret::kBytes);
  return {{hash.low64, hash.high64},
          (source + hash.low64 % kSetsPerSource) % kSets,
          static_cast<std::uint8_t>((source >> 32) % kPools)};
}

void FragmentCache::begin(Datagram& d, const Place& place, Nanoseconds now) noexcept {
  drop_held(d);
  d.name_ = place.name;
  d.born_ = now;
  d.total_ = 0;
  d.state_ = Datagram::State::kWaiting;
  d.seen_count_ = 0;
  d.pool_ = place.pool;
}

Datagram& FragmentCache::find_or_begin(const Place& place, Nanoseconds now) noexcept {
  Datagram* set = &datagrams_[place.set * kWays];
  Datagram* victim = nullptr;
  for (Datagram* d = set; d != set + kWays; ++d) {
    const bool dead = d->state_ == Datagram::State::kFree || is_dead(d->born_, now);
    if (!dead && d->name_ == place.name) return *d;
    // A dead one counts as born at the beginning of time.
    const Nanoseconds age = dead ? Nanoseconds(0) : d->born_;
    const bool victim_dead =
        victim != nullptr && (victim->state_ == Datagram::State::kFree || is_dead(victim->born_, now));
    if (victim == nullptr || (!victim_dead && age < victim->born_)) victim = d;
  }
  begin(*victim, place, now);
  return *victim;
}

FragmentCache::Admission FragmentCache::admit(const DatagramName& name, const FragmentPart& part,
                                              Nanoseconds now) noexcept {
  using State = Datagram::State;
  using enum FragmentVerdict;
  Datagram& d = find_or_begin(place_of(name), now);
  if (d.state_ == State::kOverlapped) return {kOverlap, &d};
  const auto overlapped = [&]() -> Admission {
    d.state_ = State::kOverlapped;
    drop_held(d);
    return {kOverlap, &d};
  };

  auto* const end = d.seen_.data() + d.seen_count_;
  auto* at = std::find_if(d.seen_.data(), end, [&](const auto& r) { return r.end > part.offset; });
  const bool present = at != end && at->begin == part.offset && at->end == part.end();
  // Nothing may lie behind the last fragment, nor may there be two ends.
  const bool beyond = d.total_ != 0 && (part.more ? part.end() >= d.total_ : part.end() != d.total_);
  const bool before_others = !part.more && d.seen_count_ != 0 && (end - 1)->end > part.end();
  if (beyond || before_others || (!present && at != end && at->begin < part.end())) return overlapped();
  if (present && !part.more && d.total_ == 0) return overlapped();
  if (!present) {
    if (d.seen_count_ == kSeenRanges) return {kRefused, &d};
    std::move_backward(at, end, end + 1);
    *at = {static_cast<std::uint16_t>(part.offset), static_cast<std::uint16_t>(part.end())};
    ++d.seen_count_;
    if (!part.more) d.total_ = part.end();
  }
  switch (d.state_) {
    case State::kKnown:
      return {kKnown, &d};
    case State::kWaiting:
      return {part.is_first() ? kFirst : kWaits, &d};
    default:
      return {kRefused, &d};
  }
}

void FragmentCache::learn(Datagram& d, const DatagramFlow& flow) noexcept {
  d.flow_ = flow;
  d.state_ = Datagram::State::kKnown;
}

void FragmentCache::refuse(Datagram& d) noexcept {
  d.state_ = Datagram::State::kRefused;
  drop_held(d);
}

void FragmentCache::finish(Datagram& d) noexcept {
  if (d.total_ == 0 || d.held_count_ != 0) return;
  std::uint32_t reached = 0;
  for (std::size_t i = 0; i < d.seen_count_ && d.seen_[i].begin == reached; ++i) reached = d.seen_[i].end;
  if (reached == d.total_) d.state_ = Datagram::State::kFree;
}

bool FragmentCache::hold(Datagram& d, const HeldFragment& frame, Nanoseconds now) noexcept {
  if (frame.length > kHeldBytes || d.held_count_ == kHeldPerDatagram) return false;
  const std::uint16_t i = take_slot(d.pool_);
  if (i == kNone) return false;
  Slot& slot = slots_[i];
  slot = {frame, now, &d, newest_, kNone};
  slot.frame.bytes = &bytes_[i * kSlotBytes + kHeldHeadroom];
  std::memcpy(slot.frame.bytes, frame.bytes, frame.length);
  (newest_ == kNone ? oldest_ : slots_[newest_].newer) = i;
  newest_ = i;
  ++held_;
  ++pool_held_[d.pool_];
  d.held_[d.held_count_++] = i;
  return true;
}

std::uint16_t FragmentCache::take_slot(std::uint8_t pool) noexcept {
  if (pool_held_[pool] == kHeldPerPool) return kNone;
  if (held_ == kHeldFragments) lose(oldest_);
  return free_[held_];
}

// free_ beyond the first `held_` entries are the free slots: the list grows and shrinks at held_.
void FragmentCache::free_slot(std::uint16_t i) noexcept {
  const Slot& slot = slots_[i];
  (slot.older == kNone ? oldest_ : slots_[slot.older].newer) = slot.newer;
  (slot.newer == kNone ? newest_ : slots_[slot.newer].older) = slot.older;
  --pool_held_[slot.owner->pool_];
  free_[--held_] = i;
}

void FragmentCache::lose(std::uint16_t i) noexcept {
  Datagram& d = *slots_[i].owner;
  auto* const end = d.held_.data() + d.held_count_;
  auto* const at = std::find(d.held_.data(), end, i);
  std::move(at + 1, end, at);
  --d.held_count_;
  free_slot(i);
  ++lost_;
}

void FragmentCache::drop_held(Datagram& d) noexcept {
  while (d.held_count_ != 0) lose(d.held_[d.held_count_ - 1U]);
}

HeldFragment FragmentCache::release(Datagram& d) noexcept {
  if (d.held_count_ == 0) return {};
  const std::uint16_t i = d.held_[0];
  std::move(d.held_.data() + 1, d.held_.data() + d.held_count_, d.held_.data());
  --d.held_count_;
  free_slot(i);
  return slots_[i].frame;
}

void FragmentCache::expire(Nanoseconds now) noexcept {
  while (oldest_ != kNone && is_dead(slots_[oldest_].since, now)) lose(oldest_);
}

}  // namespace penstock
