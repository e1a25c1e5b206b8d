// A cache with a fixed key, and datagrams named by small numbers.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "dataplane/fragment/fragment_cache.h"

namespace penstock::test {

struct Fragments {
  explicit Fragments(std::uint8_t seed = 1) : cache(key(seed)) {}

  static std::array<std::uint8_t, 32> key(std::uint8_t seed) {
    std::array<std::uint8_t, 32> bytes{};
    bytes.fill(seed);
    return bytes;
  }

  /// Datagram `id` of client `source`.
  FragmentCache::Admission admit(std::uint32_t source, std::uint32_t id, const FragmentPart& part) {
    std::array<std::uint32_t, 2> addresses{source, 0x0a00'71cb};
    FragmentPart named = part;
    named.id = id;
    return cache.admit({reinterpret_cast<const std::uint8_t*>(addresses.data()), id, 17, false}, named, now);
  }
  bool hold(Datagram& datagram, std::vector<std::uint8_t> bytes) {
    return cache.hold(datagram, {bytes.data(), static_cast<std::uint32_t>(bytes.size()), 7, 0, {}}, now);
  }

  FragmentCache cache;
  Nanoseconds now = Nanoseconds::from_seconds(100);
};

inline FragmentPart part(std::uint32_t offset, std::uint32_t length, bool more) {
  return {0, offset, length, more};
}

}  // namespace penstock::test
