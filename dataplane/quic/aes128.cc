// OpenSSL 3 discourages the functions that work on a bare key; aes128.h says why they are the right ones
// here.
#define OPENSSL_API_COMPAT 0x10100000L

#include "dataplane/quic/aes128.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace penstock {

#if defined(__x86_64__)

// Compiled for the instructions function by function: PENSTOCK_MARCH need not include them.
#define PENSTOCK_AES [[gnu::target("aes,sse4.1")]]

namespace {

__m128i load(const std::uint8_t* bytes) noexcept {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes));
}
void store(std::uint8_t* bytes, __m128i value) noexcept {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(bytes), value);
}

// FIPS 197, 5.2: each word is the one before it plus its like of the previous round key.
template <int kRoundConstant>
PENSTOCK_AES __m128i next_round_key(__m128i key) noexcept {
  const __m128i word = _mm_shuffle_epi32(_mm_aeskeygenassist_si128(key, kRoundConstant), 0xff);
  key = _mm_xor_si128(key, _mm_slli_si128(key, 4));
  key = _mm_xor_si128(key, _mm_slli_si128(key, 8));
  return _mm_xor_si128(key, word);
}

template <int... kRoundConstants>
PENSTOCK_AES void expand(const std::uint8_t* key, std::uint8_t* out) noexcept {
  __m128i round_key = load(key);
  store(out, round_key);
  (store(out += kAesBlock, round_key = next_round_key<kRoundConstants>(round_key)), ...);
}

PENSTOCK_AES void expand_for_encryption(const std::uint8_t* key, std::uint8_t* out) noexcept {
  expand<0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x1b, 0x36>(key, out);
}

// The equivalent inverse cipher (FIPS 197, 5.3.5): the same keys backwards, those in between transformed.
PENSTOCK_AES void expand_for_decryption(const std::uint8_t* key, std::uint8_t* out) noexcept {
  std::array<std::uint8_t, 11 * kAesBlock> forward;
  expand_for_encryption(key, forward.data());
  for (std::size_t i = 0; i < 11; ++i) {
    const __m128i round_key = load(forward.data() + (10 - i) * kAesBlock);
    store(out + i * kAesBlock, i == 0 || i == 10 ? round_key : _mm_aesimc_si128(round_key));
  }
}

PENSTOCK_AES void encrypt(const std::uint8_t* keys, const std::uint8_t* in, std::uint8_t* out) noexcept {
  __m128i block = _mm_xor_si128(load(in), load(keys));
  for (std::size_t i = 1; i < 10; ++i) block = _mm_aesenc_si128(block, load(keys + i * kAesBlock));
  store(out, _mm_aesenclast_si128(block, load(keys + 10 * kAesBlock)));
}

PENSTOCK_AES void decrypt(const std::uint8_t* keys, const std::uint8_t* in, std::uint8_t* out) noexcept {
  __m128i block = _mm_xor_si128(load(in), load(keys));
  for (std::size_t i = 1; i < 10; ++i) block = _mm_aesdec_si128(block, load(keys + i * kAesBlock));
  store(out, _mm_aesdeclast_si128(block, load(keys + 10 * kAesBlock)));
}

}  // namespace

bool Aes128::has_hardware() noexcept {
  return __builtin_cpu_supports("aes") != 0 && __builtin_cpu_supports("sse4.1") != 0;
}

#else

namespace {

// Never called: there is no hardware twin to construct.
void expand_for_encryption(const std::uint8_t*, std::uint8_t*) noexcept {}
void expand_for_decryption(const std::uint8_t*, std::uint8_t*) noexcept {}
void encrypt(const std::uint8_t*, const std::uint8_t*, std::uint8_t*) noexcept {}
void decrypt(const std::uint8_t*, const std::uint8_t*, std::uint8_t*) noexcept {}

}  // namespace

bool Aes128::has_hardware() noexcept { return false; }

#endif

Aes128::Aes128(std::span<const std::uint8_t, kAesBlock> key, Direction direction, Twin twin) noexcept
    : direction_(direction), twin_(twin) {
  const bool encrypts = direction == Direction::kEncrypt;
  if (twin == Twin::kHardware) {
    (encrypts ? expand_for_encryption : expand_for_decryption)(key.data(), round_keys_.data());
  } else {  // fails for null pointers and odd key lengths only
    (encrypts ? AES_set_encrypt_key : AES_set_decrypt_key)(key.data(), 8 * kAesBlock, &library_key_);
  }
}

void Aes128::crypt(const std::uint8_t* in, std::uint8_t* out) const noexcept {
  const bool encrypts = direction_ == Direction::kEncrypt;
  if (twin_ == Twin::kHardware) [[likely]] {
    encrypts ? encrypt(round_keys_.data(), in, out) : decrypt(round_keys_.data(), in, out);
  } else {
    encrypts ? AES_encrypt(in, out, &library_key_) : AES_decrypt(in, out, &library_key_);
  }
}

}  // namespace penstock
