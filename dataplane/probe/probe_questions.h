// The messages that were sent lately, by number: a ring, so that asking, answering and judging cost neither
// an allocation nor a search. One thread.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "penstock/base/units.h"

namespace penstock {

struct ProbeQuestion {
  static constexpr std::uint32_t kNoAddress = UINT32_MAX;
  enum class State : std::uint8_t {
    kQueued,  // not known to have left
    kSent,
    kExcused,  // sent, but an answer may have been dropped here: it is believed, its absence says nothing
    kAnswered,
    kOver,  // never left, or nobody wants to know any more
  };
  std::uint64_t number = 0;
  Nanoseconds asked;
  Nanoseconds sent;
  std::uint32_t address = 0;  // position in the plan, or kNoAddress
  std::uint32_t first = 0;    // service
  std::uint32_t key = 0;
  std::uint8_t count = 0;
  std::uint8_t version = 0;
  State state = State::kOver;
  bool ends_round = false;
};

class ProbeQuestions {
 public:
  ProbeQuestions() : ring_(kLeast) {}

  /// Room for the last `count` at least; what is there stays.
  void make_room(std::size_t count) {
    if (count <= ring_.size()) return;
    std::vector<ProbeQuestion> larger(std::bit_ceil(count));
    for (const ProbeQuestion& q : ring_) larger[q.number & (larger.size() - 1)] = q;
    first_ = oldest();
    ring_ = std::move(larger);
  }
  /// The next number, in place of the oldest.
  ProbeQuestion& add() {
    ProbeQuestion& q = at(next_);
    q = {};
    q.number = next_++;
    return q;
  }
  /// Null: too old, or of the future.
  [[nodiscard]] ProbeQuestion* find(std::uint64_t number) {
    return number < next_ && at(number).number == number ? &at(number) : nullptr;
  }
  /// The latest number that ends in these bits.
  [[nodiscard]] std::uint64_t latest(std::uint64_t low, unsigned bits) const {
    const std::uint64_t mask = (std::uint64_t{1} << bits) - 1;
    return next_ - 1 - ((next_ - 1 - low) & mask);
  }
  [[nodiscard]] std::uint64_t next() const { return next_; }
  /// The oldest that is still there.
  [[nodiscard]] std::uint64_t oldest() const {
    return std::max(first_, next_ > ring_.size() ? next_ - ring_.size() : 0);
  }

 private:
  static constexpr std::size_t kLeast = 64;
  ProbeQuestion& at(std::uint64_t number) { return ring_[number & (ring_.size() - 1)]; }

  std::vector<ProbeQuestion> ring_;
  std::uint64_t first_ = 1;
  std::uint64_t next_ = 1;
};

}  // namespace penstock
