// The Internet checksum (RFC 1071) and its incremental update (RFC 1624, equation 3).
// Sums are kept un-complemented in 32 or 64 bits; `fold` complements at the end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "penstock/net/byteorder.h"

namespace penstock {

/// One's-complement sum of `length` bytes taken as big-endian 16-bit words (an odd last byte is padded with
/// zero), added to `sum`. Works on raw memory order, which the one's-complement sum allows (RFC 1071 §2 B).
inline std::uint64_t checksum_add(std::uint64_t sum, const void* data, std::size_t length) noexcept {
  const auto* p = static_cast<const std::uint8_t*>(data);
  while (length >= 4) {
    std::uint32_t word;
    std::memcpy(&word, p, 4);
    sum += word;
    p += 4;
    length -= 4;
  }
  if (length >= 2) {
    std::uint16_t word;
    std::memcpy(&word, p, 2);
    sum += word;
    p += 2;
    length -= 2;
  }
  if (length == 1) sum += *p;
  return sum;
}

inline std::uint16_t checksum_fold_raw(std::uint64_t sum) noexcept {
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}

/// The value for a header's checksum field.
inline be16 checksum_finish(std::uint64_t sum) noexcept {
  return be16::from_raw(static_cast<std::uint16_t>(~checksum_fold_raw(sum)));
}

inline be16 checksum(const void* data, std::size_t length) noexcept {
  return checksum_finish(checksum_add(0, data, length));
}

/// RFC 1624 eqn. 3: the checksum after one 16-bit word changed from `before` to `after`.
inline be16 checksum_update(be16 old_checksum, be16 before, be16 after) noexcept {
  std::uint32_t sum = static_cast<std::uint16_t>(~old_checksum.raw());
  sum += static_cast<std::uint16_t>(~before.raw());
  sum += after.raw();
  return checksum_finish(sum);
}

}  // namespace penstock
