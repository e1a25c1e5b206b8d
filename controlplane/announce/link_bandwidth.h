// The value of the link bandwidth extended community (draft-ietf-idr-link-bandwidth, section 2): bytes per
// second as an IEEE 754 single.
#pragma once

#include <bit>
#include <cstdint>

namespace penstock {

[[nodiscard]] constexpr std::uint32_t link_bandwidth_bits(std::uint32_t mbps) {
  return std::bit_cast<std::uint32_t>(static_cast<float>(mbps) * 125'000.0f);
}
static_assert(link_bandwidth_bits(100) == 0x4b3ebc20, "12.5 million bytes per second");

}  // namespace penstock
