// What the long-lived flows carry: bytes that both sides of a check can compute, different at every place, so
// that damage, a shift, a repetition and another flow's data all show.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace penstock::traffic {

/// The message number `sequence` of flow `flow`: `size` bytes of a pseudorandom sequence (splitmix64) of
/// both.
inline std::string message(std::uint64_t flow, std::uint64_t sequence, std::size_t size) {
  std::string text(size, '\0');
  std::uint64_t state = flow * 0x9e3779b97f4a7c15U + sequence;
  for (std::size_t i = 0; i < size; ++i) {
    if (i % 8 == 0) {
      state += 0x9e3779b97f4a7c15U;
    }
    std::uint64_t z = state;
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z ^= z >> 27U;
    text[i] = static_cast<char>(z >> (8 * (i % 8)));
  }
  return text;
}

/// Byte `offset` of a download: lines of 16 bytes, 15 hexadecimal digits of the line's number and a newline.
inline char download_byte(std::uint64_t offset) {
  constexpr std::array<char, 17> digits{"0123456789abcdef"};
  const std::uint64_t column = offset % 16;
  if (column == 15) return '\n';
  return digits[((offset / 16) >> (4 * (14 - column))) & 0xfU];
}

}  // namespace penstock::traffic
