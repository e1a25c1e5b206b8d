#include "dataplane/nat/foreign_sessions.h"

#include <bit>
#include <cstring>

namespace penstock {

namespace {

// A writer is done with an entry in some 20 stores.
constexpr int kReadAttempts = 8;

constexpr std::uint32_t place_in(std::uint64_t slot) noexcept { return static_cast<std::uint32_t>(slot) - 1; }
constexpr bool names(std::uint64_t slot, std::uint64_t reference) noexcept {
  return static_cast<std::uint32_t>(slot) != 0 && (slot ^ reference) >> 32 == 0;
}

}  // namespace

ForeignSessions::ForeignSessions(std::size_t capacity, std::span<const std::uint8_t, 32> key)
    : capacity_(capacity),
      secret_(key),
      bucket_mask_(std::bit_ceil(4 * capacity / kSlots + 1) - 1),
      entries_(std::make_unique<Entry[]>(capacity)),
      buckets_(std::make_unique<Bucket[]>(bucket_mask_ + 1)),
      holdings_(capacity) {
  free_.reserve(capacity);
  for (std::size_t i = capacity; i != 0; --i) free_.push_back(static_cast<std::uint32_t>(i - 1));
}

std::array<std::size_t, 2> ForeignSessions::buckets_of(std::uint64_t hash) const noexcept {
  const std::size_t first = hash & bucket_mask_;
  // The second one follows from bits that the first does not use, and is another one if there is another.
  const std::size_t step = (hash >> 32 | 1) & bucket_mask_;
  return {first, first ^ step};
}

bool ForeignSessions::read(std::uint32_t place, NatSessionRecord& out) const noexcept {
  const Entry& entry = entries_[place];
  for (int attempt = 0; attempt < kReadAttempts; ++attempt) {
    const std::uint32_t before = entry.version.load(std::memory_order_acquire);
    std::array<std::uint64_t, kWords> words;
    for (std::size_t i = 0; i < kWords; ++i) words[i] = entry.words[i].load(std::memory_order_acquire);
    if ((before & 1) != 0 || entry.version.load(std::memory_order_relaxed) != before) continue;
    std::memcpy(static_cast<void*>(&out), words.data(), sizeof out);
    return true;
  }
  return false;
}

// The release of each word keeps it behind the odd version: who has seen a new word sees that version, too.
void ForeignSessions::write(std::uint32_t place, const NatSessionRecord& record) noexcept {
  Entry& entry = entries_[place];
  std::array<std::uint64_t, kWords> words;
  std::memcpy(words.data(), &record, sizeof record);
  const std::uint32_t version = entry.version.load(std::memory_order_relaxed);
  entry.version.store(version + 1, std::memory_order_relaxed);
  for (std::size_t i = 0; i < kWords; ++i) entry.words[i].store(words[i], std::memory_order_release);
  entry.version.store(version + 2, std::memory_order_release);
}

bool ForeignSessions::find(const NatTuple& tuple, Direction direction, NatSessionRecord& out) const noexcept {
  if (size() == 0) return false;
  const std::uint64_t hash = hash_of(tuple);
  const std::uint64_t wanted = reference(hash, direction);
  for (const std::size_t bucket : buckets_of(hash)) {
    for (const auto& slot : buckets_[bucket].slots) {
      const std::uint64_t found = slot.load(std::memory_order_acquire);
      if (!names(found, wanted) || !read(place_in(found), out)) continue;
      if ((direction == kClient ? out.client : out.answer) == tuple) return true;
    }
  }
  return false;
}

std::uint32_t ForeignSessions::place_of_answer(const NatTuple& answer) const noexcept {
  const std::uint64_t hash = hash_of(answer);
  const std::uint64_t wanted = reference(hash, kAnswer);
  for (const std::size_t bucket : buckets_of(hash)) {
    for (const auto& slot : buckets_[bucket].slots) {
      const std::uint64_t found = slot.load(std::memory_order_relaxed);
      if (names(found, wanted) && holdings_[place_in(found)].record.answer == answer) return place_in(found);
    }
  }
  return kNone;
}

bool ForeignSessions::index(const NatTuple& tuple, Direction direction, std::uint32_t place) noexcept {
  const std::uint64_t hash = hash_of(tuple);
  for (const std::size_t bucket : buckets_of(hash)) {
    for (auto& slot : buckets_[bucket].slots) {
      if (slot.load(std::memory_order_relaxed) != 0) continue;
      slot.store(reference(hash, direction) | (place + 1), std::memory_order_release);
      return true;
    }
  }
  return false;
}

void ForeignSessions::unindex(const NatTuple& tuple, Direction direction, std::uint32_t place) noexcept {
  const std::uint64_t hash = hash_of(tuple);
  const std::uint64_t wanted = reference(hash, direction) | (place + 1);
  for (const std::size_t bucket : buckets_of(hash)) {
    for (auto& slot : buckets_[bucket].slots) {
      if (slot.load(std::memory_order_relaxed) != wanted) continue;
      slot.store(0, std::memory_order_relaxed);
      return;
    }
  }
}

bool ForeignSessions::put(std::uint64_t key, const NatSessionRecord& record, std::uint8_t peer,
                          Tick lease_ends) {
  const auto known = places_.find(key);
  if (known != places_.end()) {
    Holding& holding = holdings_[known->second];
    if (holding.record.opened_ms > record.opened_ms) return true;
    if (holding.record.same_session(record)) {
      if (std::memcmp(&holding.record, &record, sizeof record) != 0) write(known->second, record);
      holding.record = record;
      holding.peer = peer;
      holding.lease_ends = lease_ends;
      return true;
    }
    remove(known->second);
  }
  if (const std::uint32_t other = place_of_answer(record.answer); other != kNone) {
    if (holdings_[other].record.opened_ms > record.opened_ms) return true;
    remove(other);
  }
  return enter(key, record, peer, lease_ends);
}

bool ForeignSessions::enter(std::uint64_t key, const NatSessionRecord& record, std::uint8_t peer,
                            Tick lease_ends) {
  if (free_.empty()) return false;
  const std::uint32_t place = free_.back();
  write(place, record);
  if (!index(record.client, kClient, place)) return false;
  if (!index(record.answer, kAnswer, place)) {
    unindex(record.client, kClient, place);
    return false;
  }
  free_.pop_back();
  holdings_[place] = {record, key, lease_ends, peer, true};
  places_[key] = place;
  size_.store(size() + 1, std::memory_order_relaxed);
  return true;
}

void ForeignSessions::remove(std::uint32_t place) {
  Holding& holding = holdings_[place];
  unindex(holding.record.client, kClient, place);
  unindex(holding.record.answer, kAnswer, place);
  places_.erase(holding.key);
  holding.in_use = false;
  free_.push_back(place);
  size_.store(size() - 1, std::memory_order_relaxed);
}

bool ForeignSessions::erase(std::uint64_t key, std::uint8_t peer) {
  const auto known = places_.find(key);
  if (known == places_.end() || holdings_[known->second].peer != peer) return false;
  remove(known->second);
  return true;
}

void ForeignSessions::sweep(Tick now, std::size_t count) {
  for (; count != 0 && capacity_ != 0; --count) {
    const Holding& holding = holdings_[cursor_];
    if (holding.in_use && static_cast<std::int32_t>(now - holding.lease_ends) >= 0)
      remove(static_cast<std::uint32_t>(cursor_));
    cursor_ = cursor_ + 1 == capacity_ ? 0 : cursor_ + 1;
  }
}

void ForeignSessions::each(
    const std::function<void(std::uint64_t key, const NatSessionRecord&)>& visit) const {
  for (const Holding& holding : holdings_) {
    if (holding.in_use) visit(holding.key, holding.record);
  }
}

}  // namespace penstock
