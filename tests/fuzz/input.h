// How the targets read what the fuzzer gives them, and how they complain.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <span>

namespace penstock::fuzz {

/// What every target promises. Aborts, which the fuzzer and the replay both take for a finding.
inline void require(bool holds, const char* promise) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: broken promise: %s\n", promise);
  std::abort();
}

/// Reads from the front; zeros and nothing at the end.
class Input {
 public:
  explicit Input(std::span<const std::uint8_t> bytes) : rest_(bytes) {}

  [[nodiscard]] bool empty() const { return rest_.empty(); }
  std::uint8_t u8() { return rest_.empty() ? std::uint8_t{0} : bytes(1)[0]; }
  /// Little-endian.
  std::uint16_t u16() {
    const std::uint8_t low = u8();
    return static_cast<std::uint16_t>(low | u8() << 8);
  }
  /// At most that many.
  std::span<const std::uint8_t> bytes(std::size_t count) {
    const auto out = rest_.first(std::min(count, rest_.size()));
    rest_ = rest_.subspan(out.size());
    return out;
  }
  std::span<const std::uint8_t> rest() { return bytes(rest_.size()); }

 private:
  std::span<const std::uint8_t> rest_;
};

/// A copy whose bounds the sanitizer watches, with room in front that belongs to it.
class Buffer {
 public:
  explicit Buffer(std::span<const std::uint8_t> frame, std::size_t headroom = 0)
      : size_(headroom + frame.size()), bytes_(new std::uint8_t[size_]()), headroom_(headroom) {
    std::ranges::copy(frame, bytes_.get() + headroom);
  }

  [[nodiscard]] std::uint8_t* frame() { return bytes_.get() + headroom_; }
  [[nodiscard]] std::size_t length() const { return size_ - headroom_; }
  [[nodiscard]] std::size_t headroom() const { return headroom_; }
  [[nodiscard]] bool holds(const std::uint8_t* first, std::size_t count) const {
    return first >= bytes_.get() && first <= bytes_.get() + size_ &&
           count <= static_cast<std::size_t>(bytes_.get() + size_ - first);
  }

 private:
  std::size_t size_;
  std::unique_ptr<std::uint8_t[]> bytes_;
  std::size_t headroom_;
};

}  // namespace penstock::fuzz

/// Each target is this function; libFuzzer or replay_main.cc calls it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
