// The flow hash: XXH3-64 of the 5-tuple, keyed with the fleet's 32-byte secret. It is the flow table's
// digest, picks the Maglev slot (its high bits) and the outer UDP source port and flow label (its low bits).
//
// Every gateway with the same key computes the same hash. Who does not know the key cannot aim packets at a
// table bucket or at a backend: XXH3 is seeded with a 192-byte secret that XXH3_generateSecret stretches from
// the key (a bare 32-byte secret is shorter than the 136 bytes that XXH3 demands). XXH3 is no cryptographic
// MAC, so hashes must not be shown to clients: of the outer source port only backends see 14 bits.
//
// The bytes hashed, addresses and ports in network order:
//   IPv4: source 4 | destination 4 | source port 2 | destination port 2 | protocol 1 | 0 0 0          (16)
//   IPv6: source 16 | destination 16 | source port 2 | destination port 2 | protocol 1 | 0 0 0        (40)
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <span>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace penstock {

class HashSecret {
 public:
  /// key: the fleet's secret (DataplaneConfig.hash_key). Any thread, off the hot path.
  explicit HashSecret(std::span<const std::uint8_t, 32> key) noexcept;

  [[nodiscard]] const std::uint8_t* data() const noexcept { return bytes_.data(); }
  static constexpr std::size_t kBytes = 192;

 private:
  alignas(64) std::array<std::uint8_t, kBytes> bytes_{};
};

/// Arguments are as they lie in the packet. `addresses`: source then destination, 8 bytes; `ports`: source
/// then destination, the four bytes at the start of the transport header.
inline std::uint64_t flow_hash_v4(const HashSecret& secret, const std::uint8_t* addresses,
                                  std::uint32_t ports, std::uint8_t protocol) noexcept {
  std::uint64_t tuple[2];
  std::memcpy(tuple, addresses, 8);
  tuple[1] = ports | static_cast<std::uint64_t>(protocol) << 32;
  return XXH3_64bits_withSecret(tuple, sizeof tuple, secret.data(), HashSecret::kBytes);
}

/// `addresses`: source then destination, 32 bytes.
inline std::uint64_t flow_hash_v6(const HashSecret& secret, const std::uint8_t* addresses,
                                  std::uint32_t ports, std::uint8_t protocol) noexcept {
  std::uint64_t tuple[5];
  std::memcpy(tuple, addresses, 32);
  tuple[4] = ports | static_cast<std::uint64_t>(protocol) << 32;
  return XXH3_64bits_withSecret(tuple, sizeof tuple, secret.data(), HashSecret::kBytes);
}

}  // namespace penstock
