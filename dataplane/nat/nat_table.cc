#include "dataplane/nat/nat_table.h"

#include <algorithm>
#include <bit>

namespace penstock {

namespace {

// A round of the sweep takes 64 ticks, about 9 s.
constexpr std::size_t kTicksPerRound = 64;
// What a newcomer may cost at most when there is no room.
constexpr std::size_t kSweepForRoom = 256;

}  // namespace

NatTable::NatTable(std::size_t sessions, std::span<const std::uint8_t, 32> key)
    : secret_(key), sessions_(sessions), slots_(std::bit_ceil(4 * sessions + 2)) {
  mask_ = static_cast<std::uint32_t>(slots_.size() - 1);
  for (std::size_t i = sessions; i != 0; --i) {
    sessions_[i - 1].next = free_;
    free_ = static_cast<std::uint32_t>(i - 1);
  }
}

void NatTable::advance(Tick now, std::size_t at_once) noexcept {
  const Tick elapsed = now - now_;
  if (static_cast<std::int32_t>(elapsed) > 0) {
    now_ = now;
    const std::uint64_t due = std::uint64_t{elapsed} * (sessions_.size() / kTicksPerRound + 1);
    debt_ = static_cast<std::size_t>(std::min<std::uint64_t>(sessions_.size(), debt_ + due));
  }
  if (debt_ == 0) return;
  const std::size_t part = std::min(debt_, at_once);
  debt_ -= part;
  sweep(part);
}

void NatTable::sweep(std::size_t count) noexcept {
  for (; count != 0; --count) {
    NatSession& session = sessions_[cursor_];
    cursor_ = cursor_ + 1 == sessions_.size() ? 0 : cursor_ + 1;
    if (!session.in_use) continue;
    const bool watched = watcher_ != nullptr && session.progress.confirmed;
    if (is_expired(session) || (watched && !watcher_->keep(session))) remove(session);
  }
}

NatSession* NatTable::find(const NatTuple& tuple, std::uint32_t direction) noexcept {
  const std::uint32_t tag = tag_of(tuple);
  for (std::uint32_t i = tag & mask_;; i = (i + 1) & mask_) {
    const Slot slot = slots_[i];
    if (slot.ref == kNone) return nullptr;
    if (slot.tag != tag || (slot.ref & 1) != direction) continue;
    NatSession& session = sessions_[slot.ref >> 1];
    if (!((direction == kClientRef ? session.client : session.answer) == tuple)) continue;
    if (!is_expired(session)) return &session;
    remove(session);
    return nullptr;
  }
}

NatSession* NatTable::enter(const NatTuple& client, const NatTuple& answer) noexcept {
  if (free_ == kNone && oldest_ != kNone) remove(sessions_[oldest_]);
  if (free_ == kNone) sweep(std::min(sessions_.size(), kSweepForRoom));
  if (free_ == kNone) return nullptr;
  const std::uint32_t at = free_;
  NatSession& session = sessions_[at];
  free_ = session.next;
  session = NatSession{};
  session.client = client;
  session.answer = answer;
  session.in_use = true;
  session.expires = now_ + 1;
  index(client, at << 1 | kClientRef);
  index(answer, at << 1 | kAnswerRef);
  append_unconfirmed(at);
  ++size_;
  return &session;
}

NatSession* NatTable::enter_confirmed(const NatTuple& client, const NatTuple& answer,
                                      const NatProgress& progress) noexcept {
  NatSession* session = enter(client, answer);
  if (session == nullptr) return nullptr;
  unlink_unconfirmed(*session);
  session->progress = progress;
  return session;
}

void NatTable::touch(NatSession& session, NatSide side, std::uint8_t tcp_flags,
                     const IdleTicks& idle) noexcept {
  const bool was_confirmed = session.progress.confirmed;
  session.progress.take(side, tcp_flags);
  if (session.progress.confirmed != was_confirmed) unlink_unconfirmed(session);
  session.expires = now_ + idle.of(session.progress.idle_class(session.client.protocol));
}

void NatTable::remove(NatSession& session) noexcept {
  const std::uint32_t at = index_of(session);
  if (watcher_ != nullptr && session.progress.confirmed) watcher_->ended(session);
  unindex(session.client, at << 1 | kClientRef);
  unindex(session.answer, at << 1 | kAnswerRef);
  if (!session.progress.confirmed) unlink_unconfirmed(session);
  session.in_use = false;
  session.next = free_;
  free_ = at;
  --size_;
}

void NatTable::index(const NatTuple& tuple, std::uint32_t ref) noexcept {
  const std::uint32_t tag = tag_of(tuple);
  std::uint32_t i = tag & mask_;
  while (slots_[i].ref != kNone) i = (i + 1) & mask_;
  slots_[i] = {tag, ref};
}

// Entries behind the gap move up as far as their home allows (Knuth, TAOCP volume 3, 6.4, algorithm R), so
// that a lookup may stop at the first free slot.
void NatTable::unindex(const NatTuple& tuple, std::uint32_t ref) noexcept {
  std::uint32_t gap = tag_of(tuple) & mask_;
  while (slots_[gap].ref != ref) gap = (gap + 1) & mask_;
  for (std::uint32_t i = (gap + 1) & mask_; slots_[i].ref != kNone; i = (i + 1) & mask_) {
    const std::uint32_t home = slots_[i].tag & mask_;
    if (((i - home) & mask_) < ((i - gap) & mask_)) continue;
    slots_[gap] = slots_[i];
    gap = i;
  }
  slots_[gap] = Slot{};
}

void NatTable::append_unconfirmed(std::uint32_t index) noexcept {
  sessions_[index].next = kNone;
  sessions_[index].previous = newest_;
  (newest_ == kNone ? oldest_ : sessions_[newest_].next) = index;
  newest_ = index;
}

void NatTable::unlink_unconfirmed(NatSession& session) noexcept {
  (session.previous == kNone ? oldest_ : sessions_[session.previous].next) = session.next;
  (session.next == kNone ? newest_ : sessions_[session.next].previous) = session.previous;
}

}  // namespace penstock
