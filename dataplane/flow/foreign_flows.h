// Flows that other gateways have told of: keyed digest -> backend. A worker that has no entry for a packet in
// the middle of a flow asks here, and takes the flow over into its own table.
//
// Theory of operation
// - Open addressing over two cache-line halves of 16-byte entries, never more than a bounded probe. The digest
//   is stored whole and written last, erased first, so a reader sees an entry whole or not at all.
// - One thread writes (the replication's), all workers read; nothing waits, nothing is an atomic
//   read-modify-write.
// - An entry lives until its peer says that it has ended, or has said nothing of it for its lease.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "dataplane/flow/flow_bucket.h"
#include "dataplane/flow/flow_clock.h"

namespace penstock {

class ForeignFlows {
 public:
  /// capacity: flows held at a load of at most 80 %. Throws std::bad_alloc.
  explicit ForeignFlows(std::size_t capacity);

  /// The flow's backend as its gateway names it, or kNoBackend. The index is one of this process. Any thread.
  [[nodiscard]] BackendIndex find(std::uint64_t digest) const noexcept;

  // The writer's.

  /// Enters or replaces a flow. peer: small number of who told. False: no room (the flow is not entered).
  bool put(std::uint64_t digest, BackendIndex backend, std::uint8_t peer, Tick lease_ends) noexcept;
  /// Forgets the flow if this peer told of it.
  bool erase(std::uint64_t digest, std::uint8_t peer) noexcept;
  /// Ends leases; paced, the whole table within about a second of calls every 100 ms.
  void sweep(Tick now) noexcept;

  [[nodiscard]] std::size_t size() const noexcept { return size_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }

 private:
  struct alignas(16) Entry {
    std::atomic<std::uint64_t> digest{0};  // 0: free
    std::atomic<std::uint64_t> word{0};    // bits 0-23 backend | 24-31 peer | 32-63 lease
  };

  std::size_t capacity_;
  std::size_t mask_ = 0;
  std::unique_ptr<Entry[]> entries_;
  std::atomic<std::size_t> size_{0};
  std::size_t cursor_ = 0;
};

}  // namespace penstock
