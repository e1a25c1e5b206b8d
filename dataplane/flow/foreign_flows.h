// Flows that other gateways have told of: keyed digest -> backend. A worker that has no entry for a packet in
// the middle of a flow asks here, and takes the flow over into its own table.
//
// Theory of operation
// - Buckets of one cache line with four entries of 16 bytes; a flow lies in one of two buckets (cuckoo
//   hashing: Pagh and Rodler, ESA '01), so a lookup reads at most two lines and there are no tombstones. An
//   entry holds the whole digest, so it can be moved knowing nothing else.
// - The digest is stored last and cleared first, and a reader looks at it again after it has read the word:
//   it sees an entry whole or not at all. An entry that moves is written to its new place before it leaves
//   the old one, and a count of moves tells a reader who found it in neither to look again.
// - One thread writes (the replication's), all workers read; nothing waits, nothing is an atomic
//   read-modify-write.
// - An entry lives until its peer says that it has ended, or until its lease is over.
// - 20 bytes a flow at 80 % load, taken from the kernel when they are first written.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "dataplane/flow/flow_bucket.h"
#include "dataplane/flow/flow_clock.h"

namespace penstock {

/// One entry, for those who list the table.
struct ForeignFlow {
  std::uint64_t digest = 0;
  BackendIndex backend = kNoBackend;
  std::uint8_t peer = 0;  // small number of who told
  Tick lease_ends = 0;
};

class ForeignFlows {
 public:
  /// capacity: flows held at a load of at most 80 %; more are refused. Throws std::bad_alloc.
  explicit ForeignFlows(std::size_t capacity);

  // Any thread.

  /// The flow's backend as its gateway names it, or kNoBackend. The index is one of this process.
  [[nodiscard]] BackendIndex find(std::uint64_t digest) const noexcept;
  /// Asks for the two cache lines that find() reads; a flow that is not there costs both.
  void prefetch(std::uint64_t digest) const noexcept {
    __builtin_prefetch(&buckets_[home_of(digest)]);
    __builtin_prefetch(&buckets_[second_of(digest)]);
  }
  [[nodiscard]] std::size_t size() const noexcept { return size_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }

  // The writer's.

  /// Enters or replaces a flow; lease_ends is less than 2^31 ticks away. False: no room, not entered.
  /// A digest of 0 is refused too: it marks free entries, and one flow in 2^64 has it.
  bool put(std::uint64_t digest, BackendIndex backend, std::uint8_t peer, Tick lease_ends) noexcept;
  /// Forgets the flow if this peer told of it last.
  bool erase(std::uint64_t digest, std::uint8_t peer) noexcept;
  /// Ends leases; paced, the whole table within about a second of calls every 100 ms.
  void sweep(Tick now) noexcept;
  /// Every flow, in no order.
  void for_each(const std::function<void(const ForeignFlow&)>& see) const;

 private:
  struct Entry {
    std::atomic<std::uint64_t> digest;  // 0: free
    std::atomic<std::uint64_t> word;    // bits 0-23 backend | 24-31 peer | 32-63 lease
  };
  static constexpr std::size_t kWays = 4;
  struct alignas(64) Bucket {
    std::array<Entry, kWays> entries;
  };
  static_assert(sizeof(Bucket) == 64, "one cache line per probe");
  struct Unmap {
    std::size_t bytes;
    void operator()(Bucket* memory) const noexcept;
  };

  [[nodiscard]] std::size_t home_of(std::uint64_t digest) const noexcept;
  [[nodiscard]] std::size_t second_of(std::uint64_t digest) const noexcept;
  [[nodiscard]] BackendIndex look(std::size_t bucket, std::uint64_t digest) const noexcept;
  [[nodiscard]] Entry* entry_of(std::uint64_t digest) noexcept;
  [[nodiscard]] Entry* free_entry(std::size_t bucket) noexcept;
  [[nodiscard]] Entry* make_room(std::size_t bucket, unsigned moves) noexcept;
  void move(Entry& from, Entry& to) noexcept;
  void clear(Entry& entry) noexcept;

  std::size_t capacity_;
  std::size_t bucket_count_;
  std::unique_ptr<Bucket[], Unmap> buckets_;
  std::atomic<std::uint32_t> moves_{0};
  std::atomic<std::size_t> size_{0};
  std::size_t cursor_ = 0;
};

}  // namespace penstock
