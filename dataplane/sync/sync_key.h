// Proves that a message is a peer's: HMAC-SHA-256 (RFC 2104), cut to 16 bytes, under a key that the fleet
// shares. One thread.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>

#include "penstock/base/derived_key.h"

namespace penstock {

inline constexpr std::size_t kSyncMacBytes = 16;
using SyncMac = std::array<std::byte, kSyncMacBytes>;

class SyncKey {
 public:
  /// key: derive_key(hash key, kSyncKeyPurpose). Throws std::bad_alloc.
  explicit SyncKey(const DerivedKey& key);
  ~SyncKey();
  SyncKey(SyncKey&&) noexcept;
  SyncKey& operator=(SyncKey&&) noexcept;

  /// Of the two parts as one message.
  [[nodiscard]] SyncMac mac(std::span<const std::byte> first, std::span<const std::byte> second = {}) const;
  /// In constant time. `wanted` may have any size.
  [[nodiscard]] static bool equal(const SyncMac& mac, std::span<const std::byte> wanted) noexcept;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace penstock
