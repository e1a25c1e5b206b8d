// Which ICMP error means what in the other family (RFC 7915 sections 4.2 and 5.2), as pure functions.
#pragma once

#include <cstdint>
#include <optional>

namespace penstock {

/// An error message without its checksum and quote. word: the second four bytes of the header as a number:
/// MTU (IPv4: low 16 bits) or pointer (IPv4: in the top 8 bits), otherwise 0.
struct IcmpMeaning {
  std::uint8_t type = 0;
  std::uint8_t code = 0;
  std::uint32_t word = 0;

  [[nodiscard]] constexpr bool is_too_big(bool v6) const noexcept {
    return v6 ? type == 2 : type == 3 && code == 4;
  }
  bool operator==(const IcmpMeaning&) const = default;
};

/// Unreachable, time exceeded, parameter problem. Source quench and redirects are for the neighbourhood.
constexpr bool is_error_v4(std::uint8_t type) noexcept { return type == 3 || type == 11 || type == 12; }
/// Unreachable, too big, time exceeded, parameter problem.
constexpr bool is_error_v6(std::uint8_t type) noexcept { return type >= 1 && type <= 4; }

// Which may carry extension objects (RFC 4884 section 4).
constexpr bool is_extended_v4(std::uint8_t type) noexcept { return is_error_v4(type); }
constexpr bool is_extended_v6(std::uint8_t type) noexcept { return type == 1 || type == 3; }

/// The MTU that a router without RFC 1191 may have meant (its section 7.1), for a packet of `length` bytes.
[[nodiscard]] std::uint32_t plateau_below(std::uint32_t length) noexcept;

/// Nothing: to be dropped.
[[nodiscard]] std::optional<IcmpMeaning> icmp_v6_from_v4(const IcmpMeaning& error) noexcept;
[[nodiscard]] std::optional<IcmpMeaning> icmp_v4_from_v6(const IcmpMeaning& error) noexcept;

}  // namespace penstock
