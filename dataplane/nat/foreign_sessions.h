// Translated flows that other gateways have told of, found by the client's packets and by the backend's
// answers. A worker that has no session for a packet in the middle of a connection asks here.
//
// Theory of operation
// - Sessions lie in an array; an index of buckets of eight references, two buckets for each tuple, names each
//   session twice. A bucket is a cache line, so a lookup reads at most two and the sessions whose 31 bits of
//   hash match. With references in at most half of the slots, both buckets of a tuple are practically never
//   full.
// - One thread writes (the replication's), all workers read. A session is copied under its version, which is
//   odd while it changes (a sequence lock without fences: its words are atomics, stored with release and
//   loaded with acquire); the copy is compared by its whole key, so a reference to what has been replaced
//   does no harm. A reader gives up after some attempts: it then has not found the session, as if it had
//   asked a moment earlier.
// - Of two sessions of one client's port, or of one source port towards a backend, the later opened stays.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "dataplane/flow/flow_clock.h"
#include "dataplane/hash/flow_hash.h"
#include "dataplane/nat/nat_record.h"

namespace penstock {

class ForeignSessions {
 public:
  /// key: random, kept secret. Throws std::bad_alloc.
  ForeignSessions(std::size_t capacity, std::span<const std::uint8_t, 32> key);

  // Any thread. False: not known.
  [[nodiscard]] bool find_client(const NatTuple& packet, NatSessionRecord& out) const noexcept {
    return find(packet, kClient, out);
  }
  [[nodiscard]] bool find_answer(const NatTuple& packet, NatSessionRecord& out) const noexcept {
    return find(packet, kAnswer, out);
  }
  [[nodiscard]] std::size_t size() const noexcept { return size_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }

  // The writer's.

  /// Enters the session, or replaces what is known of it. key: SyncRecord::key; peer: who told. False: there
  /// is no room.
  bool put(std::uint64_t key, const NatSessionRecord& record, std::uint8_t peer, Tick lease_ends);
  /// Forgets the session if this peer was the last to tell of it.
  bool erase(std::uint64_t key, std::uint8_t peer);
  /// Ends the leases among the next `count` places.
  void sweep(Tick now, std::size_t count);
  void each(const std::function<void(std::uint64_t key, const NatSessionRecord&)>& visit) const;

 private:
  enum Direction : std::uint32_t { kClient = 0, kAnswer = 1 };
  static constexpr std::size_t kWords = sizeof(NatSessionRecord) / 8;
  static constexpr std::size_t kSlots = 8;

  struct alignas(64) Entry {
    std::atomic<std::uint32_t> version{0};  // odd: being written
    std::array<std::atomic<std::uint64_t>, kWords> words{};
  };
  // 0: free; otherwise hash << 33 | direction << 32 | place + 1
  struct alignas(64) Bucket {
    std::array<std::atomic<std::uint64_t>, kSlots> slots{};
  };
  // What only the writer needs to know of an entry.
  struct Holding {
    NatSessionRecord record;
    std::uint64_t key = 0;
    Tick lease_ends = 0;
    std::uint8_t peer = 0;
    bool in_use = false;
  };

  [[nodiscard]] std::uint64_t hash_of(const NatTuple& tuple) const noexcept {
    return XXH3_64bits_withSecret(&tuple, sizeof tuple, secret_.data(), HashSecret::kBytes);
  }
  [[nodiscard]] static std::uint64_t reference(std::uint64_t hash, Direction direction) noexcept {
    return hash >> 33 << 33 | std::uint64_t{direction} << 32;
  }
  [[nodiscard]] std::array<std::size_t, 2> buckets_of(std::uint64_t hash) const noexcept;
  [[nodiscard]] bool find(const NatTuple& tuple, Direction direction, NatSessionRecord& out) const noexcept;
  [[nodiscard]] bool read(std::uint32_t place, NatSessionRecord& out) const noexcept;
  void write(std::uint32_t place, const NatSessionRecord& record) noexcept;
  [[nodiscard]] std::uint32_t place_of_answer(const NatTuple& answer) const noexcept;
  bool index(const NatTuple& tuple, Direction direction, std::uint32_t place) noexcept;
  void unindex(const NatTuple& tuple, Direction direction, std::uint32_t place) noexcept;
  bool enter(std::uint64_t key, const NatSessionRecord& record, std::uint8_t peer, Tick lease_ends);
  void remove(std::uint32_t place);

  static constexpr std::uint32_t kNone = 0xffff'ffff;

  std::size_t capacity_;
  HashSecret secret_;
  std::size_t bucket_mask_;
  std::unique_ptr<Entry[]> entries_;
  std::unique_ptr<Bucket[]> buckets_;
  std::atomic<std::size_t> size_{0};

  std::vector<Holding> holdings_;  // by place
  std::vector<std::uint32_t> free_;
  std::unordered_map<std::uint64_t, std::uint32_t> places_;  // by key
  std::size_t cursor_ = 0;
};

}  // namespace penstock
