// What a worker tells the replication thread of its sessions: a ring with one writer and one reader. Neither
// waits for the other and nothing is an atomic read-modify-write. What does not fit is dropped and counted:
// the worker tells of every session again while its table is swept.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "dataplane/nat/nat_record.h"
#include "dataplane/stats/lcore_counters.h"

namespace penstock {

struct NatEvent {
  NatSessionRecord record;
  std::uint64_t key = 0;  // of SyncRecord: the client's tuple, hashed with the fleet's secret
  bool ended = false;
};

class NatEvents {
 public:
  /// capacity: rounded up to a power of two. Throws std::bad_alloc.
  explicit NatEvents(std::size_t capacity)
      : mask_(std::bit_ceil(capacity) - 1), events_(std::make_unique<NatEvent[]>(mask_ + 1)) {}

  /// The writer's. False: full.
  bool push(const NatEvent& event) noexcept {
    const std::size_t head = head_.load(std::memory_order_relaxed);
    if (head - seen_tail_ > mask_) {
      seen_tail_ = tail_.load(std::memory_order_acquire);
      if (head - seen_tail_ > mask_) {
        dropped_.add(1);
        return false;
      }
    }
    events_[head & mask_] = event;
    head_.store(head + 1, std::memory_order_release);
    return true;
  }

  /// The reader's. False: empty.
  bool pop(NatEvent& event) noexcept {
    const std::size_t tail = tail_.load(std::memory_order_relaxed);
    if (tail == head_.load(std::memory_order_acquire)) return false;
    event = events_[tail & mask_];
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }

  [[nodiscard]] std::size_t capacity() const noexcept { return mask_ + 1; }
  /// Events that did not fit. Any thread.
  [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_.read(); }

 private:
  const std::size_t mask_;
  const std::unique_ptr<NatEvent[]> events_;
  alignas(64) std::atomic<std::size_t> head_{0};  // next to write
  std::size_t seen_tail_ = 0;                     // the writer's memory of tail_
  Counter dropped_;
  alignas(64) std::atomic<std::size_t> tail_{0};  // next to read
};

}  // namespace penstock
