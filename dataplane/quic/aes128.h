// AES-128 on single blocks (FIPS 197), as connection IDs need it: the key is expanded once, a block costs no
// allocation and no lock, and any number of threads may share the object.
//
// Two twins, held equal by tests/unit/dataplane/quic/aes128_test.cc: the processor's AES instructions, and
// libcrypto for processors without them. Of libcrypto it is AES_encrypt() rather than EVP, because an EVP
// context changes with each call: every worker would need its own for every key.
#pragma once

#include <openssl/aes.h>

#include <array>
#include <cstdint>
#include <span>

namespace penstock {

inline constexpr std::size_t kAesBlock = 16;  // bytes, of a block and of a key

class Aes128 {
 public:
  enum class Direction : std::uint8_t { kEncrypt, kDecrypt };
  enum class Twin : std::uint8_t { kHardware, kLibrary };

  /// Whether this processor has the instructions of Twin::kHardware.
  [[nodiscard]] static bool has_hardware() noexcept;

  /// Precondition: has_hardware(), if `twin` is kHardware.
  Aes128(std::span<const std::uint8_t, kAesBlock> key, Direction direction, Twin twin) noexcept;
  /// The faster twin that this processor has.
  Aes128(std::span<const std::uint8_t, kAesBlock> key, Direction direction) noexcept
      : Aes128(key, direction, has_hardware() ? Twin::kHardware : Twin::kLibrary) {}

  /// One block, in the direction of this object. `in` and `out` may be the same.
  void crypt(const std::uint8_t* in, std::uint8_t* out) const noexcept;

 private:
  static constexpr std::size_t kRounds = 10;

  alignas(16) std::array<std::uint8_t, (kRounds + 1) * kAesBlock> round_keys_{};  // kHardware
  AES_KEY library_key_{};                                                         // kLibrary
  Direction direction_;
  Twin twin_;
};

}  // namespace penstock
