#include "penstock/config/vip_prefix.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

IpAddr ip(const char* text) { return *IpAddr::parse(text); }

VipKey key(const char* vip) {
  const VipPrefix prefix = *parse_vip(vip);
  VipKey out;
  out.vip = prefix.first;
  out.prefix_length = prefix.length;
  return out;
}

TEST(VipPrefix, WhatIsWrittenIsShownTheSame) {
  for (const char* text :
       {"203.0.113.10", "203.0.113.0/24", "10.0.0.0/8", "203.0.113.128/25", "203.0.113.254/31",
        "2001:db8::10", "2001:db8::/64", "2001::/16", "2001:db8::fe/127"}) {
    ASSERT_TRUE(parse_vip(text)) << text;
    EXPECT_EQ(key(text).vip_text(), text);
  }
}

TEST(VipPrefix, AFullLengthIsTheOneAddress) {
  EXPECT_EQ(key("203.0.113.10/32"), key("203.0.113.10"));
  EXPECT_EQ(key("2001:db8::10/128"), key("2001:db8::10"));
}

TEST(VipPrefix, WhatIsWrongIsSaid) {
  struct Case {
    const char* text;
    const char* says;
  };
  for (const Case& c : {
           Case{"www", "'www' is not an IPv4 or IPv6 address or prefix"},
           {"203.0.113.10/24", "'203.0.113.10/24' has bits behind the prefix: write 203.0.113.0/24"},
           {"2001:db8::1/64", "'2001:db8::1/64' has bits behind the prefix: write 2001:db8::/64"},
           {"203.0.113.0/33", "'203.0.113.0/33' must have a prefix length of 8–32"},
           {"203.0.113.0/7", "'203.0.113.0/7' must have a prefix length of 8–32"},
           {"203.0.113.0/", "'203.0.113.0/' must have a prefix length of 8–32"},
           {"203.0.113.0/024", "'203.0.113.0/024' must have a prefix length of 8–32"},
           {"203.0.113.0/+24", "'203.0.113.0/+24' must have a prefix length of 8–32"},
           {"203.0.113.0/24/24", "'203.0.113.0/24/24' must have a prefix length of 8–32"},
           {"203.0.113.0/255.255.255.0", "'203.0.113.0/255.255.255.0' must have a prefix length of 8–32"},
           {"2001:db8::/129", "'2001:db8::/129' must have a prefix length of 16–128"},
           {"2001:db8::/15", "'2001:db8::/15' must have a prefix length of 16–128"},
       }) {
    const auto vip = parse_vip(c.text);
    ASSERT_FALSE(vip) << c.text;
    EXPECT_EQ(vip.error().message, c.says);
  }
  EXPECT_FALSE(parse_vip(std::string_view("10.0.0.1\0", 9)));
}

TEST(VipPrefix, CoversExactlyItsAddresses) {
  EXPECT_TRUE(covers(key("203.0.113.128/25"), ip("203.0.113.128")));
  EXPECT_TRUE(covers(key("203.0.113.128/25"), ip("203.0.113.255")));
  EXPECT_FALSE(covers(key("203.0.113.128/25"), ip("203.0.113.127")));
  EXPECT_FALSE(covers(key("203.0.113.128/25"), ip("203.0.114.128")));
  EXPECT_TRUE(covers(key("2001:db8::/63"), ip("2001:db8:0:1:ffff:ffff:ffff:ffff")));
  EXPECT_FALSE(covers(key("2001:db8::/63"), ip("2001:db8:0:2::")));
  EXPECT_TRUE(covers(key("203.0.113.10"), ip("203.0.113.10")));
  EXPECT_FALSE(covers(key("203.0.113.10"), ip("203.0.113.11")));
  EXPECT_FALSE(covers(key("32.1.0.0/16"), ip("2001::")));
}

}  // namespace
}  // namespace penstock
