// Which sequence numbers of one session have been seen: a bitmap behind the greatest one, as in RFC 6479.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace penstock {

class ReplayWindow {
 public:
  static constexpr std::uint64_t kSpan = 8192;  // numbers behind the greatest that may still come

  /// False: seen before, or too far behind. A new session begins with the first number that is taken.
  [[nodiscard]] bool take(std::uint64_t sequence) noexcept {
    if (taken_ == 0) begin_at(sequence);
    if (sequence + kSpan <= top_) return false;
    while (top_ < sequence) {
      if (sequence - top_ > kSpan) {  // everything that is remembered falls behind
        seen_.fill(0);
        top_ = sequence;
        break;
      }
      ++top_;
      word(top_) &= ~bit(top_);
    }
    if ((word(sequence) & bit(sequence)) != 0) return false;
    word(sequence) |= bit(sequence);
    ++taken_;
    return true;
  }

  /// Numbers between the first and the greatest that have not come (yet).
  [[nodiscard]] std::uint64_t missing() const noexcept {
    const std::uint64_t due = taken_ == 0 ? 0 : top_ - first_ + 1;
    return due > taken_ ? due - taken_ : 0;
  }

 private:
  void begin_at(std::uint64_t sequence) noexcept {
    first_ = top_ = sequence;
    seen_.fill(0);
  }
  [[nodiscard]] std::uint64_t& word(std::uint64_t sequence) noexcept { return seen_[sequence % kSpan / 64]; }
  [[nodiscard]] static std::uint64_t bit(std::uint64_t sequence) noexcept {
    return std::uint64_t{1} << sequence % 64;
  }

  std::uint64_t first_ = 0, top_ = 0, taken_ = 0;
  std::array<std::uint64_t, kSpan / 64> seen_{};
};

}  // namespace penstock
