// What the processes share below the protocols: checksums, addresses, the GUE layout.

#include <gtest/gtest.h>

#include <numeric>
#include <random>
#include <vector>

#include "penstock/abi/gue.h"
#include "penstock/net/addr.h"
#include "penstock/net/checksum.h"
#include "penstock/net/headers.h"

namespace penstock {
namespace {

// RFC 1071, section 3: the sum of 0001 f203 f4f5 f6f7 is ddf2.
TEST(Checksum, Rfc1071Example) {
  const std::uint8_t data[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
  EXPECT_EQ(checksum(data, sizeof data).host(), static_cast<std::uint16_t>(~0xddf2));
}

// Written down from RFC 1071's definition, word by word.
std::uint16_t by_definition(const std::vector<std::uint8_t>& data) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < data.size(); i += 2) {
    sum += static_cast<std::uint32_t>(data[i] << 8 | (i + 1 < data.size() ? data[i + 1] : 0));
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return static_cast<std::uint16_t>(~sum);
}

TEST(Checksum, IsTheDefinitionForEveryLength) {
  std::vector<std::uint8_t> data;
  for (int length = 0; length < 300; ++length) {
    EXPECT_EQ(checksum(data.data(), data.size()).host(), by_definition(data)) << length;
    data.push_back(static_cast<std::uint8_t>(length * 37 + 11));
  }
  std::fill(data.begin(), data.end(), 0xff);
  EXPECT_EQ(checksum(data.data(), data.size()).host(), by_definition(data));
}

TEST(Checksum, UpdateEqualsRecomputing) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int i = 0; i < 20'000; ++i) {
    std::vector<std::uint8_t> data(20);
    for (auto& byte : data) byte = static_cast<std::uint8_t>(random() % 3 == 0 ? 0xff : random());
    const be16 before = checksum(data.data(), data.size());
    be16 old_word;
    std::memcpy(&old_word, data.data() + 8, 2);
    const be16 new_word(static_cast<std::uint16_t>(random()));
    std::memcpy(data.data() + 8, &new_word, 2);
    ASSERT_EQ(checksum_update(before, old_word, new_word).host(), by_definition(data));
  }
}

// RFC 1624, section 4: HC = dd2f, m = 5555, m' = 3285, HC' = 0000 and not ffff.
TEST(Checksum, Rfc1624Example) {
  EXPECT_EQ(checksum_update(be16(0xdd2f), be16(0x5555), be16(0x3285)).host(), 0x0000);
}

TEST(IpAddr, ParsesWhatInetPtonParsesAndNothingElse) {
  EXPECT_EQ(IpAddr::parse("203.0.113.10")->text(), "203.0.113.10");
  EXPECT_EQ(IpAddr::parse("2001:DB8:0:0::10")->text(), "2001:db8::10");  // RFC 5952
  EXPECT_EQ(IpAddr::parse("::1")->text(), "::1");
  for (const char* bad : {"", " 1.2.3.4", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.4/32",
                          "fe80::1%eth0", "::g", "localhost"}) {
    EXPECT_FALSE(IpAddr::parse(bad).ok()) << bad;
  }
}

TEST(IpAddr, FamiliesNeverCompareEqual) {
  EXPECT_NE(IpAddr(Ipv4Addr{}), IpAddr(Ipv6Addr{}));
  EXPECT_EQ(*IpAddr::parse("10.0.0.1"), IpAddr(Ipv4Addr{{10, 0, 0, 1}}));
}

TEST(IpAddr, UnicastIsWhatAHostMayHave) {
  for (const char* good : {"10.0.0.1", "203.0.113.10", "223.255.255.255", "2001:db8::1", "fd00::1"}) {
    EXPECT_TRUE(IpAddr::parse(good)->is_unicast()) << good;
  }
  for (const char* bad : {"0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "::", "::1", "ff02::1"}) {
    EXPECT_FALSE(IpAddr::parse(bad)->is_unicast()) << bad;
  }
}

TEST(MacAddr, ParsesSixOctets) {
  EXPECT_EQ(MacAddr::parse("02:00:5E:10:00:ff")->text(), "02:00:5e:10:00:ff");
  for (const char* bad :
       {"", "02:00:00:00:00", "02:00:00:00:00:01:02", "02-00-00-00-00-01", "0g:00:00:00:00:01"}) {
    EXPECT_FALSE(MacAddr::parse(bad).ok()) << bad;
  }
}

// GUE draft-09 section 3.1 and GLB's private data, as bytes on the wire.
TEST(Gue, HeaderLiesOnTheWireAsTheDraftDrawsIt) {
  gue_header gue{};
  gue.version_control_hlen = PENSTOCK_GUE_CONTROL | 1;
  gue.protocol = kProtoIpip;
  gue.flags = be16(0x1234).raw();
  const std::uint8_t expected[] = {0x21, 4, 0x12, 0x34};
  EXPECT_EQ(std::memcmp(&gue, expected, sizeof expected), 0);
  gue_private hops{};
  hops.type = be16(PENSTOCK_GUE_HOPS_IPV6).raw();
  hops.next_hop = 1;
  hops.hop_count = 3;
  const std::uint8_t expected_hops[] = {0, 1, 1, 3};
  EXPECT_EQ(std::memcmp(&hops, expected_hops, sizeof expected_hops), 0);
}

}  // namespace
}  // namespace penstock
