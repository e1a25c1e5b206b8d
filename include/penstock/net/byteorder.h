// Integers in network byte order, as distinct types: an unconverted one cannot be compared, added or assigned
// by mistake. Trivially copyable and without padding, so they may stand in packet headers.
#pragma once

#include <bit>
#include <cstdint>

namespace penstock {

static_assert(std::endian::native == std::endian::little, "conversions below assume a little-endian host");

class be16 {
 public:
  constexpr be16() = default;
  explicit constexpr be16(std::uint16_t host) : raw_(__builtin_bswap16(host)) {}
  static constexpr be16 from_raw(std::uint16_t raw) {
    be16 v;
    v.raw_ = raw;
    return v;
  }
  [[nodiscard]] constexpr std::uint16_t host() const { return __builtin_bswap16(raw_); }
  [[nodiscard]] constexpr std::uint16_t raw() const { return raw_; }
  constexpr bool operator==(const be16&) const = default;

 private:
  std::uint16_t raw_ = 0;
} __attribute__((packed));

class be32 {
 public:
  constexpr be32() = default;
  explicit constexpr be32(std::uint32_t host) : raw_(__builtin_bswap32(host)) {}
  static constexpr be32 from_raw(std::uint32_t raw) {
    be32 v;
    v.raw_ = raw;
    return v;
  }
  [[nodiscard]] constexpr std::uint32_t host() const { return __builtin_bswap32(raw_); }
  [[nodiscard]] constexpr std::uint32_t raw() const { return raw_; }
  constexpr bool operator==(const be32&) const = default;

 private:
  std::uint32_t raw_ = 0;
} __attribute__((packed));

static_assert(sizeof(be16) == 2 && sizeof(be32) == 4, "used inside packet headers");

}  // namespace penstock
