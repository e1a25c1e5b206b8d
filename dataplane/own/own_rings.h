// Rings between one thread that asks and one worker: bounded, one writer and one reader each, no lock. What
// does not fit is not waited for.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "dataplane/own/own_frame.h"
#include "dataplane/stats/lcore_counters.h"

namespace penstock {

/// The lines that the next frames touch are asked for ahead: they are in the other end's cache, and far
/// apart.
inline void prefetch_own(const void* frame, bool to_write) noexcept {
  constexpr std::size_t kLine = 64, kLines = 4;  // a probe of one service
  for (std::size_t i = 0; i < kLines; ++i) {
    const char* line = static_cast<const char*>(frame) + i * kLine;
    to_write ? __builtin_prefetch(line, 1) : __builtin_prefetch(line, 0);
  }
}
inline constexpr std::size_t kOwnAhead = 3;  // frames

/// Frames to a worker. The asker claims a slot, fills it and pushes; the worker sends and says when; the
/// asker reaps what has been sent, which alone makes room again.
class OutRing {
 public:
  explicit OutRing(std::size_t slots)
      : mask_(std::bit_ceil(slots) - 1),
        frames_(std::make_unique<OutFrame[]>(mask_ + 1)),
        tags_(std::make_unique<std::uint64_t[]>(mask_ + 1)),
        sent_(std::make_unique<Nanoseconds[]>(mask_ + 1)) {}

  // The asker's.
  /// Null: full. The next call without push() in between gives the same one.
  [[nodiscard]] OutFrame* claim() noexcept {
    if (written_ - reaped_ > mask_) return nullptr;
    prefetch_own(&frames_[(written_ + kOwnAhead) & mask_], true);
    return &frames_[written_ & mask_];
  }
  /// tag: the asker's, given back when the frame has left.
  void push(std::uint64_t tag) noexcept {
    tags_[written_ & mask_] = tag;
    head_.store(++written_, std::memory_order_release);
  }
  /// Calls see(tag, Nanoseconds sent) for every frame that has left, or could not (zero), since the last
  /// call.
  template <class See>
  void reap(See see) {
    const std::uint64_t done = done_.load(std::memory_order_acquire);
    for (; reaped_ != done; ++reaped_) see(tags_[reaped_ & mask_], sent_[reaped_ & mask_]);
  }

  // The worker's.
  [[nodiscard]] std::size_t waiting() const noexcept {
    return static_cast<std::size_t>(head_.load(std::memory_order_acquire) - taken_);
  }
  /// n < waiting().
  [[nodiscard]] const OutFrame& waiting_frame(std::size_t n) const noexcept {
    prefetch_own(&frames_[(taken_ + n + kOwnAhead) & mask_], false);
    return frames_[(taken_ + n) & mask_];
  }
  /// at: when the nth of those waiting left; zero: it could not.
  void set_sent(std::size_t n, Nanoseconds at) noexcept { sent_[(taken_ + n) & mask_] = at; }
  /// set_sent() has been said of the first `count`.
  void done(std::size_t count) noexcept {
    taken_ += count;
    done_.store(taken_, std::memory_order_release);
  }

 private:
  const std::size_t mask_;
  const std::unique_ptr<OutFrame[]> frames_;
  const std::unique_ptr<std::uint64_t[]> tags_;  // the asker's
  const std::unique_ptr<Nanoseconds[]> sent_;
  alignas(64) std::atomic<std::uint64_t> head_{0};
  std::uint64_t written_ = 0;  // the asker's
  std::uint64_t reaped_ = 0;
  alignas(64) std::atomic<std::uint64_t> done_{0};
  std::uint64_t taken_ = 0;  // the worker's
};

/// Frames from a worker.
class InRing {
 public:
  explicit InRing(std::size_t slots)
      : mask_(std::bit_ceil(slots) - 1), frames_(std::make_unique<InFrame[]>(mask_ + 1)) {}

  // The worker's.
  /// Null: full, and counted.
  [[nodiscard]] InFrame* claim() noexcept {
    if (written_ - known_read_ > mask_) known_read_ = read_.load(std::memory_order_acquire);
    if (written_ - known_read_ <= mask_) {
      prefetch_own(&frames_[(written_ + kOwnAhead) & mask_], true);
      return &frames_[written_ & mask_];
    }
    dropped_.add(1);
    return nullptr;
  }
  void push() noexcept { head_.store(++written_, std::memory_order_release); }

  // The asker's.
  /// Calls see(const InFrame&) for what is there now, at most `most`; true: there may be more.
  template <class See>
  bool drain(See see, std::size_t most = SIZE_MAX) {
    const std::uint64_t head = head_.load(std::memory_order_acquire);
    std::uint64_t at = read_.load(std::memory_order_relaxed);
    for (std::size_t n = 0; at != head && n < most; ++n) {
      prefetch_own(&frames_[(at + kOwnAhead) & mask_], false);
      see(static_cast<const InFrame&>(frames_[at & mask_]));
      read_.store(++at, std::memory_order_release);
    }
    return at != head;
  }
  /// Frames for which there was no room. Any thread.
  [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_.read(); }

 private:
  const std::size_t mask_;
  const std::unique_ptr<InFrame[]> frames_;
  alignas(64) std::atomic<std::uint64_t> head_{0};
  std::uint64_t written_ = 0;  // the worker's
  std::uint64_t known_read_ = 0;
  Counter dropped_;
  alignas(64) std::atomic<std::uint64_t> read_{0};
};

}  // namespace penstock
