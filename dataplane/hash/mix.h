// The integer mixing that table construction rests on. Not for flows: flow_hash.h is keyed, this is not.
#pragma once

#include <cstdint>

#include "dataplane/hash/wide.h"

namespace penstock {

/// 64 well-mixed bits of (a, b): a folded 64×64→128 bit product, then a multiply-shift finish. Gateways agree
/// on tables only while this function stays as it is.
[[nodiscard]] constexpr std::uint64_t mix(std::uint64_t a, std::uint64_t b) noexcept {
  const auto product = static_cast<uint128>(a ^ 0x9E3779B97F4A7C15u) * (b ^ 0xD6E8FEB86659FD93u);
  const std::uint64_t folded =
      (static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64)) * 0xA0761D6478BD642Fu;
  return folded ^ (folded >> 29);
}

}  // namespace penstock
