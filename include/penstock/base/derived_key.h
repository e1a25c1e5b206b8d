// Keys for single purposes out of the one secret that a fleet shares (DataplaneConfig.hash_key), so that a
// node that answers probes never learns what flows are hashed with.
#pragma once

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace penstock {

using DerivedKey = std::array<std::uint8_t, 32>;

inline constexpr std::string_view kProbeKeyPurpose = "probe";
inline constexpr std::string_view kSyncKeyPurpose = "sync";

/// HMAC-SHA-256 (RFC 2104, RFC 6234) of "penstock " + purpose under the secret. Any thread. Link libcrypto.
[[nodiscard]] inline DerivedKey derive_key(std::span<const std::uint8_t> secret, std::string_view purpose) {
  const std::string message = "penstock " + std::string(purpose);
  DerivedKey key{};
  unsigned length = key.size();
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(message.data()), message.size(), key.data(), &length);
  return key;
}

}  // namespace penstock
