// The incremental update of Internet checksums over many bytes at once (RFC 1624, equation 3): an error in
// the packet stays an error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "penstock/net/checksum.h"

namespace penstock {

/// Collects what has left and what has come to the covered bytes. All pieces begin at an even distance from
/// the start of what the checksum covers. A piece that is removed and added again may contain the checksum
/// field, if that is not applied in between.
class ChecksumChange {
 public:
  void add(const void* bytes, std::size_t length) noexcept { sum_ = checksum_add(sum_, bytes, length); }
  void remove(const void* bytes, std::size_t length) noexcept {
    sum_ += static_cast<std::uint16_t>(~checksum_fold_raw(checksum_add(0, bytes, length)));
  }
  /// A 16-bit number in host order, as part of a pseudo-header.
  void add_number(std::uint16_t value) noexcept { sum_ += be16(value).raw(); }
  void remove_number(std::uint16_t value) noexcept { sum_ += static_cast<std::uint16_t>(~be16(value).raw()); }
  void merge(const ChecksumChange& other) noexcept { sum_ += other.sum_; }

  /// Corrects the checksum field at `field`.
  void apply(std::uint8_t* field) const noexcept {
    const be16 corrected = corrected_from(field);
    std::memcpy(field, &corrected, sizeof corrected);
  }

  /// As apply(), for UDP: 0 means that there is no checksum, and is kept; a sum of 0 is sent as 0xffff.
  void apply_udp(std::uint8_t* field) const noexcept {
    std::uint16_t raw;
    std::memcpy(&raw, field, sizeof raw);
    if (raw == 0) return;
    const be16 corrected = corrected_from(field);
    raw = corrected.raw() == 0 ? 0xffff : corrected.raw();
    std::memcpy(field, &raw, sizeof raw);
  }

 private:
  [[nodiscard]] be16 corrected_from(const std::uint8_t* field) const noexcept {
    std::uint16_t raw;
    std::memcpy(&raw, field, sizeof raw);
    return checksum_finish(sum_ + static_cast<std::uint16_t>(~raw));
  }

  std::uint64_t sum_ = 0;
};

}  // namespace penstock
