#include "dataplane/settings.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

TEST(DataplaneSettings, CpuListTakesNumbersAndRanges) {
  EXPECT_EQ(parse_cpu_list("0").value(), (std::vector<unsigned>{0}));
  EXPECT_EQ(parse_cpu_list("4,0,2-3").value(), (std::vector<unsigned>{4, 0, 2, 3}));
  for (const char* bad :
       {"", ",", "0,", "a", "-1", "3-1", "0-", "1,1", "0-2,1", "1024", "0 1", "99999999999"}) {
    EXPECT_FALSE(parse_cpu_list(bad)) << bad;
  }
}

TEST(DataplaneSettings, StaticNextHopNeedsPortMacAndASource) {
  const auto hop = parse_static_next_hop("net_null0,mac=02:00:00:00:00:01,source_v6=2001:db8::1,mtu=9000");
  ASSERT_TRUE(hop) << hop.error().text();
  EXPECT_EQ(hop->port, "net_null0");
  EXPECT_FALSE(hop->source_v4);
  EXPECT_TRUE(hop->source_v6);
  EXPECT_EQ(hop->mtu, 9000);
  for (const char* bad :
       {"", "net_null0", "net_null0,mac=02:00:00:00:00:01", "net_null0,source_v4=192.0.2.1",
        ",mac=02:00:00:00:00:01,source_v4=192.0.2.1", "net_null0,mac=02:00:00:00:00:01,source_v4=2001:db8::1",
        "net_null0,mac=02:00:00:00:00:01,source_v4=224.0.0.1",
        "net_null0,mac=02:00:00:00:00:01,source_v4=192.0.2.1,mtu=1000",
        "net_null0,mac=02:00:00:00:00:01,source_v4=192.0.2.1,mtu=65536",
        "net_null0,mac=02:00:00:00:00:01,mac=02:00:00:00:00:02,source_v4=192.0.2.1",
        "net_null0,mac=02:00:00:00:00:01,source_v4=192.0.2.1,colour=red",
        "net_null0,mac=02:00:00:00:00:01,source_v4=192.0.2.1,"}) {
    EXPECT_FALSE(parse_static_next_hop(bad)) << bad;
  }
}

TEST(DataplaneSettings, PortVlanKeepsStripsOrNamesOneOrTwoTags) {
  using Action = VlanRule::Action;
  EXPECT_EQ(parse_port_vlan("net_pcap0=keep").value().rule, VlanRule{});
  EXPECT_EQ(parse_port_vlan("net_pcap0=strip").value().rule.action, Action::kStrip);
  const auto one = parse_port_vlan("net_pcap0=4094");
  ASSERT_TRUE(one);
  EXPECT_EQ(one->port, "net_pcap0");
  EXPECT_EQ(one->rule, (VlanRule{Action::kReplace, 4, {0x81, 0x00, 0x0f, 0xfe}}));
  EXPECT_EQ(parse_port_vlan("0000:3b:00.0=100.7").value().rule,
            (VlanRule{Action::kReplace, 8, {0x88, 0xa8, 0, 100, 0x81, 0x00, 0, 7}}));
  for (const char* bad : {"", "=keep", "net_pcap0", "net_pcap0=", "net_pcap0=0", "net_pcap0=4095",
                          "net_pcap0=-1", "net_pcap0=1.", "net_pcap0=.1", "net_pcap0=1.0", "net_pcap0=1.2.3",
                          "net_pcap0=Keep", "net_pcap0=keep ", "net_pcap0=1,2", "net_pcap0=0x10"}) {
    EXPECT_FALSE(parse_port_vlan(bad)) << bad;
  }
}

TEST(DataplaneSettings, KernelInterfaceIsAPair) {
  const auto pair = parse_kernel_interface("net_memif0=eth1");
  ASSERT_TRUE(pair);
  EXPECT_EQ(pair->port, "net_memif0");
  EXPECT_EQ(pair->interface, "eth1");
  for (const char* bad : {"", "=", "a=", "=b", "ab"}) EXPECT_FALSE(parse_kernel_interface(bad)) << bad;
}

}  // namespace
}  // namespace penstock
