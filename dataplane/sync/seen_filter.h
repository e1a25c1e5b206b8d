// What was seen in one scan, a few bits a flow: a Bloom filter whose bits for one flow lie in one word
// (Putze, Sanders, Singler, WEA '07). It never forgets a flow, and takes one in a hundred for another.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace penstock {

class SeenFilter {
 public:
  /// Empties it and makes room for about `flows` flows.
  void begin(std::size_t flows) { words_.assign(flows / 4 + 64, 0); }
  void add(std::uint64_t digest) noexcept { words_[word_of(digest)] |= bits_of(digest); }
  [[nodiscard]] bool holds(std::uint64_t digest) const noexcept {
    if (words_.empty()) return false;
    const std::uint64_t bits = bits_of(digest);
    return (words_[word_of(digest)] & bits) == bits;
  }

 private:
  static std::uint64_t mix(std::uint64_t digest) noexcept { return digest * 0x9e37'79b9'7f4a'7c15; }
  [[nodiscard]] std::size_t word_of(std::uint64_t digest) const noexcept {
    return (mix(digest) >> 32) * words_.size() >> 32;
  }
  static std::uint64_t bits_of(std::uint64_t digest) noexcept {
    const std::uint64_t m = digest ^ mix(digest);
    return std::uint64_t{1} << (m & 63) | std::uint64_t{1} << (m >> 6 & 63) |
           std::uint64_t{1} << (m >> 12 & 63) | std::uint64_t{1} << (m >> 18 & 63);
  }

  std::vector<std::uint64_t> words_;
};

}  // namespace penstock
