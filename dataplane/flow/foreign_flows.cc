#include "dataplane/flow/foreign_flows.h"

#include <sys/mman.h>

#include <algorithm>
#include <new>

namespace penstock {
namespace {

constexpr unsigned kPeerShift = 24, kLeaseShift = 32;
constexpr std::size_t kSweepsPerRound = 10;
// Three moves find room for all but one in many millions at a load of 80 %.
constexpr unsigned kMostMoves = 3;

constexpr std::uint64_t make_word(BackendIndex backend, std::uint8_t peer, Tick lease_ends) noexcept {
  return (backend & kNoBackend) | std::uint64_t{peer} << kPeerShift |
         std::uint64_t{lease_ends} << kLeaseShift;
}
constexpr BackendIndex backend_of(std::uint64_t word) noexcept {
  return static_cast<BackendIndex>(word & kNoBackend);
}
constexpr std::uint8_t peer_of(std::uint64_t word) noexcept {
  return static_cast<std::uint8_t>(word >> kPeerShift);
}
constexpr Tick lease_of(std::uint64_t word) noexcept { return static_cast<Tick>(word >> kLeaseShift); }

std::size_t scale(std::uint64_t hash, std::size_t count) noexcept {
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::size_t>(static_cast<Wide>(hash) * count >> 64);
}

}  // namespace

void ForeignFlows::Unmap::operator()(Bucket* memory) const noexcept { ::munmap(memory, bytes); }

ForeignFlows::ForeignFlows(std::size_t capacity)
    : capacity_(std::max<std::size_t>(capacity, 1)),
      // Four fifths of four entries are 3.2 flows a bucket.
      bucket_count_(std::max<std::size_t>(2, (capacity_ * 5 + 15) / 16)) {
  const std::size_t bytes = bucket_count_ * sizeof(Bucket);
  void* memory =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  // Zeroed pages are free entries: atomics of integers are their value.
  buckets_ = std::unique_ptr<Bucket[], Unmap>(static_cast<Bucket*>(memory), Unmap{bytes});
}

std::size_t ForeignFlows::home_of(std::uint64_t digest) const noexcept {
  return scale(digest, bucket_count_);
}

// Another mix of the same digest (2^64 / golden ratio): its top bits depend on all below them.
std::size_t ForeignFlows::second_of(std::uint64_t digest) const noexcept {
  const std::uint64_t mixed = (digest ^ digest >> 29) * 0x9e37'79b9'7f4a'7c15;
  return scale(mixed ^ mixed << 32, bucket_count_);
}

BackendIndex ForeignFlows::look(std::size_t bucket, std::uint64_t digest) const noexcept {
  for (const Entry& entry : buckets_[bucket].entries) {
    if (entry.digest.load(std::memory_order_acquire) != digest) continue;
    const std::uint64_t word = entry.word.load(std::memory_order_acquire);
    if (entry.digest.load(std::memory_order_relaxed) == digest) return backend_of(word);
  }
  return kNoBackend;
}

BackendIndex ForeignFlows::find(std::uint64_t digest) const noexcept {
  if (digest == 0) return kNoBackend;
  // A writer that moves entries all the time would have to hit this flow each time: the bound is never met.
  for (unsigned attempt = 0; attempt < 8; ++attempt) {
    const std::uint32_t moves = moves_.load(std::memory_order_acquire);
    if (const BackendIndex found = look(home_of(digest), digest); found != kNoBackend) return found;
    if (const BackendIndex found = look(second_of(digest), digest); found != kNoBackend) return found;
    if (moves_.load(std::memory_order_relaxed) == moves) break;
  }
  return kNoBackend;
}

ForeignFlows::Entry* ForeignFlows::entry_of(std::uint64_t digest) noexcept {
  for (const std::size_t bucket : {home_of(digest), second_of(digest)}) {
    for (Entry& entry : buckets_[bucket].entries) {
      if (entry.digest.load(std::memory_order_relaxed) == digest) return &entry;
    }
  }
  return nullptr;
}

ForeignFlows::Entry* ForeignFlows::free_entry(std::size_t bucket) noexcept {
  for (Entry& entry : buckets_[bucket].entries) {
    if (entry.digest.load(std::memory_order_relaxed) == 0) return &entry;
  }
  return nullptr;
}

// A free entry of this bucket, made by moving one of its flows to that one's other bucket.
ForeignFlows::Entry* ForeignFlows::make_room(std::size_t bucket, unsigned moves) noexcept {
  if (Entry* free = free_entry(bucket)) return free;
  if (moves == 0) return nullptr;
  for (unsigned depth = 0; depth < moves; ++depth) {  // shallow ways first
    for (Entry& entry : buckets_[bucket].entries) {
      const std::uint64_t digest = entry.digest.load(std::memory_order_relaxed);
      const std::size_t home = home_of(digest);
      const std::size_t other = home == bucket ? second_of(digest) : home;
      if (other == bucket) continue;
      Entry* room = make_room(other, depth);
      // Making room there may have moved this very entry, or filled what it left.
      if (room == nullptr || entry.digest.load(std::memory_order_relaxed) != digest) continue;
      move(entry, *room);
      return &entry;
    }
  }
  return nullptr;
}

void ForeignFlows::move(Entry& from, Entry& to) noexcept {
  to.word.store(from.word.load(std::memory_order_relaxed), std::memory_order_release);
  to.digest.store(from.digest.load(std::memory_order_relaxed), std::memory_order_release);
  // Between: whoever misses the flow here afterwards sees the new count, and looks again.
  moves_.store(moves_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  from.digest.store(0, std::memory_order_release);
}

bool ForeignFlows::put(std::uint64_t digest, BackendIndex backend, std::uint8_t peer,
                       Tick lease_ends) noexcept {
  if (digest == 0 || backend >= kNoBackend) return false;
  const std::uint64_t word = make_word(backend, peer, lease_ends);
  if (Entry* known = entry_of(digest)) {
    known->word.store(word, std::memory_order_release);
    return true;
  }
  if (size() >= capacity_) return false;
  Entry* entry = free_entry(home_of(digest));
  if (entry == nullptr) entry = free_entry(second_of(digest));
  if (entry == nullptr) entry = make_room(home_of(digest), kMostMoves);
  if (entry == nullptr) entry = make_room(second_of(digest), kMostMoves);
  if (entry == nullptr) return false;
  entry->word.store(word, std::memory_order_release);
  entry->digest.store(digest, std::memory_order_release);
  size_.store(size() + 1, std::memory_order_relaxed);
  return true;
}

void ForeignFlows::clear(Entry& entry) noexcept {
  entry.digest.store(0, std::memory_order_release);
  size_.store(size() - 1, std::memory_order_relaxed);
}

bool ForeignFlows::erase(std::uint64_t digest, std::uint8_t peer) noexcept {
  Entry* entry = digest != 0 ? entry_of(digest) : nullptr;
  if (entry == nullptr || peer_of(entry->word.load(std::memory_order_relaxed)) != peer) return false;
  clear(*entry);
  return true;
}

void ForeignFlows::sweep(Tick now) noexcept {
  const std::size_t end = std::min(bucket_count_, cursor_ + bucket_count_ / kSweepsPerRound + 1);
  for (; cursor_ < end; ++cursor_) {
    for (Entry& entry : buckets_[cursor_].entries) {
      if (entry.digest.load(std::memory_order_relaxed) == 0) continue;
      const Tick lease = lease_of(entry.word.load(std::memory_order_relaxed));
      if (static_cast<std::int32_t>(now - lease) >= 0) clear(entry);
    }
  }
  if (cursor_ == bucket_count_) cursor_ = 0;
}

void ForeignFlows::for_each(const std::function<void(const ForeignFlow&)>& see) const {
  for (std::size_t i = 0; i < bucket_count_; ++i) {
    for (const Entry& entry : buckets_[i].entries) {
      const std::uint64_t digest = entry.digest.load(std::memory_order_relaxed);
      const std::uint64_t word = entry.word.load(std::memory_order_relaxed);
      if (digest != 0) see({digest, backend_of(word), peer_of(word), lease_of(word)});
    }
  }
}

}  // namespace penstock
