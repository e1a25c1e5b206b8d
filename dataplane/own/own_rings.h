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

/// Frames to a worker. The asker claims a slot, fills it and pushes; the worker sends and says when; the
/// asker reaps what has been sent, which alone makes room again.
class OutRing {
 public:
  explicit OutRing(std::size_t slots)
      : mask_(std::bit_ceil(slots) - 1), frames_(std::make_unique<OutFrame[]>(mask_ + 1)) {}

  // The asker's.
  /// Null: full. The next call without push() in between gives the same one.
  [[nodiscard]] OutFrame* claim() noexcept { return written_ - reaped_ > mask_ ? nullptr : &at(written_); }
  void push() noexcept { head_.store(++written_, std::memory_order_release); }
  /// Calls see(const OutFrame&) for every frame that has left, or could not, since the last call.
  template <class See>
  void reap(See see) {
    const std::uint64_t done = done_.load(std::memory_order_acquire);
    for (; reaped_ != done; ++reaped_) see(static_cast<const OutFrame&>(at(reaped_)));
  }

  // The worker's.
  [[nodiscard]] std::size_t waiting() const noexcept {
    return static_cast<std::size_t>(head_.load(std::memory_order_acquire) - taken_);
  }
  /// n < waiting().
  [[nodiscard]] OutFrame& waiting_frame(std::size_t n) noexcept { return at(taken_ + n); }
  /// The first `count` have left or could not: OutFrame::sent says which.
  void done(std::size_t count) noexcept {
    taken_ += count;
    done_.store(taken_, std::memory_order_release);
  }

 private:
  [[nodiscard]] OutFrame& at(std::uint64_t n) noexcept { return frames_[n & mask_]; }

  const std::size_t mask_;
  const std::unique_ptr<OutFrame[]> frames_;
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
    if (written_ - known_read_ <= mask_) return &frames_[written_ & mask_];
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
