// The ranges that every component checks against, in one place, so that the REST layer and the dataplane
// never disagree about what is valid.
#pragma once

#include <cstddef>
#include <cstdint>

namespace penstock {

inline constexpr std::uint32_t kMaxWeight = 1000;
inline constexpr std::size_t kMaxServices = 10'000;
inline constexpr std::size_t kMaxBackendsPerService = 10'000;
inline constexpr std::size_t kMaxIdLength = 63;
inline constexpr std::uint32_t kMaxIdleTimeoutSeconds = 86'400;
inline constexpr std::size_t kHashKeyBytes = 32;
inline constexpr std::uint32_t kMaxTableSize =
    16'777'213;  // Maglev slots of one service; the largest prime below 2^24

inline constexpr unsigned kMinVipPrefixV4 = 8;  // a VIP prefix is not shorter
inline constexpr unsigned kMinVipPrefixV6 = 16;
inline constexpr std::uint32_t kMaxVxlanVni = 16'777'215;  // 24 bits; 0 is no network
// draft-ietf-quic-load-balancers: server ID and nonce share a connection ID with one octet of configuration.
inline constexpr std::uint32_t kMaxQuicRotation = 6;  // 7 means unroutable
inline constexpr std::uint32_t kMaxQuicServerIdLength = 15;
inline constexpr std::uint32_t kMinQuicNonceLength = 4;
inline constexpr std::uint32_t kMaxQuicNonceLength = 18;
inline constexpr std::uint32_t kMaxQuicIdAndNonceLength = 19;
inline constexpr std::size_t kQuicKeyBytes = 16;

inline constexpr std::uint32_t kMaxMed = 65'535;  // what FRR, BIRD and GoBGP carry from a route's metric
inline constexpr std::uint32_t kMaxBandwidthMbps = 25'600;  // FRR: "set extcommunity bandwidth", 1-25600
inline constexpr std::uint32_t kMaxDrainSeconds = 31'536'000;  // a year: to a deadline, or to a withdrawal
inline constexpr std::size_t kProbeKeyBytes = 16;  // SipHash; the first of derive_key(hash_key, "probe")

/// Ids are what a DNS label is: lower-case letters, digits and inner hyphens, 1–63 characters.
constexpr bool is_valid_id(const char* text, std::size_t length) {
  if (length == 0 || length > kMaxIdLength) return false;
  for (std::size_t i = 0; i < length; ++i) {
    const char c = text[i];
    const bool inner = i != 0 && i + 1 != length;
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c == '-' && inner))) return false;
  }
  return true;
}

}  // namespace penstock
