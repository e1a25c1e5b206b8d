#include "dataplane/quic/aes128.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <iostream>
#include <memory>
#include <random>

#include "tests/unit/dataplane/quic/hex.h"

namespace penstock {
namespace {

using quic_test::hex16;
using Block = std::array<std::uint8_t, kAesBlock>;
using enum Aes128::Direction;
using enum Aes128::Twin;

std::vector<Aes128::Twin> twins() {
  std::vector<Aes128::Twin> out{kLibrary};
  if (Aes128::has_hardware()) out.push_back(kHardware);
  return out;
}

Block crypt(const Aes128& aes, const Block& in) {
  Block out;
  aes.crypt(in.data(), out.data());
  return out;
}

// OpenSSL's EVP: neither of the twins goes through it.
Block evp(const Block& key, const Block& in, bool encrypt) {
  const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context(EVP_CIPHER_CTX_new(),
                                                                                &EVP_CIPHER_CTX_free);
  EVP_CipherInit_ex(context.get(), EVP_aes_128_ecb(), nullptr, key.data(), nullptr, encrypt ? 1 : 0);
  EVP_CIPHER_CTX_set_padding(context.get(), 0);
  Block out{};
  int length = 0;
  EVP_CipherUpdate(context.get(), out.data(), &length, in.data(), static_cast<int>(in.size()));
  return out;
}

TEST(Aes128, MatchesTheExampleOfFips197) {
  const Block key = hex16("000102030405060708090a0b0c0d0e0f");
  const Block plain = hex16("00112233445566778899aabbccddeeff");
  const Block cipher = hex16("69c4e0d86a7b0430d8cdb78070b4c55a");  // FIPS 197, appendix C.1
  for (const Aes128::Twin twin : twins()) {
    EXPECT_EQ(crypt(Aes128(key, kEncrypt, twin), plain), cipher) << static_cast<int>(twin);
    EXPECT_EQ(crypt(Aes128(key, kDecrypt, twin), cipher), plain) << static_cast<int>(twin);
  }
}

TEST(Aes128, TwinsAndEvpAgreeOnRandomKeysAndBlocks) {
  const std::uint64_t seed = std::random_device{}();
  std::cout << "seed " << seed << (Aes128::has_hardware() ? "" : ", no AES instructions") << "\n";
  std::mt19937_64 random(seed);
  Block key, block;
  for (int round = 0; round < 20'000; ++round) {
    for (auto& octet : key) octet = static_cast<std::uint8_t>(random());
    for (auto& octet : block) octet = static_cast<std::uint8_t>(random());
    for (const auto direction : {kEncrypt, kDecrypt}) {
      const Block expected = evp(key, block, direction == kEncrypt);
      for (const Aes128::Twin twin : twins()) {
        ASSERT_EQ(crypt(Aes128(key, direction, twin), block), expected)
            << "round " << round << " twin " << static_cast<int>(twin);
      }
    }
  }
}

TEST(Aes128, CryptsInPlace) {
  const Block key = hex16("000102030405060708090a0b0c0d0e0f");
  for (const Aes128::Twin twin : twins()) {
    Block block = hex16("00112233445566778899aabbccddeeff");
    Aes128(key, kEncrypt, twin).crypt(block.data(), block.data());
    EXPECT_EQ(block, hex16("69c4e0d86a7b0430d8cdb78070b4c55a"));
  }
}

}  // namespace
}  // namespace penstock
