// include/penstock/abi/siphash.h against the paper, the reference vectors and OpenSSL.
#include "penstock/abi/siphash.h"

#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>

#include <array>
#include <cstring>
#include <iostream>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

namespace penstock {
namespace {

siphash_key counting_key() {
  siphash_key key;
  auto* bytes = reinterpret_cast<unsigned char*>(&key);
  std::iota(bytes, bytes + sizeof key, std::uint8_t{0});
  return key;
}

TEST(SipHash, YieldsThePapersTestVector) {
  // Appendix A: key 00 … 0f, message 00 … 0e.
  std::array<std::uint8_t, 15> message;
  std::iota(message.begin(), message.end(), std::uint8_t{0});
  const siphash_key key = counting_key();
  EXPECT_EQ(siphash(&key, message.data(), message.size()), 0xa129ca6149be45e5u);
}

TEST(SipHash, YieldsTheReferenceVectors) {
  // vectors_sip64 of the authors' reference implementation: message 00 … n-1, same key.
  constexpr std::uint8_t kVectors[][8] = {
      {0x31, 0x0e, 0x0e, 0xdd, 0x47, 0xdb, 0x6f, 0x72}, {0xfd, 0x67, 0xdc, 0x93, 0xc5, 0x39, 0xf8, 0x74},
      {0x5a, 0x4f, 0xa9, 0xd9, 0x09, 0x80, 0x6c, 0x0d}, {0x2d, 0x7e, 0xfb, 0xd7, 0x96, 0x66, 0x67, 0x85},
      {0xb7, 0x87, 0x71, 0x27, 0xe0, 0x94, 0x27, 0xcf}, {0x8d, 0xa6, 0x99, 0xcd, 0x64, 0x55, 0x76, 0x18},
      {0xce, 0xe3, 0xfe, 0x58, 0x6e, 0x46, 0xc9, 0xcb}, {0x37, 0xd1, 0x01, 0x8b, 0xf5, 0x00, 0x02, 0xab},
      {0x62, 0x24, 0x93, 0x9a, 0x79, 0xf5, 0xf5, 0x93}};
  const siphash_key key = counting_key();
  for (std::size_t n = 0; n < std::size(kVectors); ++n) {
    std::vector<std::uint8_t> message(n);
    std::iota(message.begin(), message.end(), std::uint8_t{0});
    std::uint64_t expected;
    std::memcpy(&expected, kVectors[n], 8);
    EXPECT_EQ(siphash(&key, message.data(), n), expected) << n << " bytes";
  }
}

TEST(SipHash, AgreesWithOpenSslOnEveryLength) {
  const std::unique_ptr<EVP_MAC, decltype(&EVP_MAC_free)> mac(EVP_MAC_fetch(nullptr, "SIPHASH", nullptr),
                                                              EVP_MAC_free);
  if (mac == nullptr) GTEST_SKIP() << "this OpenSSL has no SipHash";
  const auto seed = std::random_device{}();
  std::cout << "seed " << seed << "\n";
  std::mt19937 random(seed);
  for (std::size_t n = 0; n <= 600; ++n) {
    siphash_key key;
    auto* bytes = reinterpret_cast<unsigned char*>(&key);
    for (std::size_t i = 0; i < sizeof key; ++i) bytes[i] = static_cast<unsigned char>(random());
    std::vector<std::uint8_t> message(n);
    for (auto& b : message) b = static_cast<std::uint8_t>(random());
    const std::unique_ptr<EVP_MAC_CTX, decltype(&EVP_MAC_CTX_free)> context(EVP_MAC_CTX_new(mac.get()),
                                                                            EVP_MAC_CTX_free);
    std::size_t size = 8;
    const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
                                     OSSL_PARAM_construct_end()};
    ASSERT_EQ(EVP_MAC_init(context.get(), bytes, sizeof key, parameters), 1);
    ASSERT_EQ(EVP_MAC_update(context.get(), message.data(), n), 1);
    std::uint64_t expected = 0;
    ASSERT_EQ(EVP_MAC_final(context.get(), reinterpret_cast<unsigned char*>(&expected), &size, 8), 1);
    ASSERT_EQ(siphash(&key, message.data(), n), expected) << n << " bytes";
  }
}

}  // namespace
}  // namespace penstock
