#include "dataplane/hash/flow_hash.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace penstock {

namespace test {
std::uint64_t library_xxh3(const void* data, std::size_t length, const std::uint8_t* secret,
                           std::size_t secret_length);
}

namespace {

constexpr std::array<std::uint8_t, 32> kKey = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11,
                                               12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22,
                                               23, 24, 25, 26, 27, 28, 29, 30, 31, 32};

TEST(FlowHash, HashesExactlyTheDocumentedBytes) {
  const HashSecret secret(kKey);
  const std::vector<std::uint8_t> v4 = {198, 51, 100, 7, 203, 0, 113, 10, 0x9c, 0x40, 0, 80, 6, 0, 0, 0};
  std::uint32_t ports;
  std::memcpy(&ports, v4.data() + 8, 4);
  EXPECT_EQ(flow_hash_v4(secret, v4.data(), ports, 6),
            test::library_xxh3(v4.data(), v4.size(), secret.data(), HashSecret::kBytes));

  std::vector<std::uint8_t> v6;
  for (std::uint8_t i = 0; i < 32; ++i) v6.push_back(static_cast<std::uint8_t>(i * 7));
  v6.insert(v6.end(), {0x9c, 0x40, 0, 80, 17, 0, 0, 0});
  EXPECT_EQ(flow_hash_v6(secret, v6.data(), ports, 17),
            test::library_xxh3(v6.data(), v6.size(), secret.data(), HashSecret::kBytes));
}

TEST(FlowHash, DependsOnEveryBitOfTheTupleAndOfTheKey) {
  const HashSecret secret(kKey);
  std::array<std::uint8_t, 8> addresses = {198, 51, 100, 7, 203, 0, 113, 10};
  std::set<std::uint64_t> seen = {flow_hash_v4(secret, addresses.data(), 0x50009c40, 6)};
  for (std::size_t bit = 0; bit < 64; ++bit) {
    addresses[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    EXPECT_TRUE(seen.insert(flow_hash_v4(secret, addresses.data(), 0x50009c40, 6)).second) << bit;
    addresses[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
  }
  for (std::uint32_t bit = 0; bit < 32; ++bit) {
    EXPECT_TRUE(seen.insert(flow_hash_v4(secret, addresses.data(), 0x50009c40 ^ 1U << bit, 6)).second) << bit;
  }
  EXPECT_TRUE(seen.insert(flow_hash_v4(secret, addresses.data(), 0x50009c40, 17)).second);
  for (std::size_t bit = 0; bit < 256; ++bit) {
    auto key = kKey;
    key[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    EXPECT_TRUE(seen.insert(flow_hash_v4(HashSecret(key), addresses.data(), 0x50009c40, 6)).second) << bit;
  }
}

// Consecutive ports are what a client or an attacker can choose: they must scatter over every part of the
// hash.
TEST(FlowHash, ConsecutivePortsScatterEvenly) {
  const HashSecret secret(kKey);
  const std::array<std::uint8_t, 8> addresses = {198, 51, 100, 7, 203, 0, 113, 10};
  constexpr int kFlows = 65536;
  for (const unsigned shift : {0U, 14U, 32U, 56U}) {
    std::array<int, 256> buckets{};
    for (std::uint32_t port = 0; port < kFlows; ++port) {
      const auto raw =
          static_cast<std::uint32_t>(__builtin_bswap16(static_cast<std::uint16_t>(port))) | 0x50000000;
      ++buckets[flow_hash_v4(secret, addresses.data(), raw, 6) >> shift & 0xff];
    }
    double chi_square = 0;
    for (const int n : buckets) chi_square += (n - 256.0) * (n - 256.0) / 256.0;
    EXPECT_LT(chi_square, 255 + 6 * 22.6)
        << "bits from " << shift;  // mean + 6 sigma of 255 degrees of freedom
  }
}

}  // namespace
}  // namespace penstock
