#include "dataplane/netlink/kernel_tables.h"

#include <gtest/gtest.h>
#include <linux/neighbour.h>
#include <net/if.h>

#include <random>
#include <vector>

namespace penstock {
namespace {

const MacAddr kMac{{2, 0, 0, 0, 0, 7}};
const IpAddr kAddress = Ipv4Addr{{10, 0, 0, 7}};

NetlinkRequest neighbour(std::uint16_t type, std::uint16_t state, bool with_mac = true) {
  ndmsg header{};
  header.ndm_family = AF_INET;
  header.ndm_ifindex = 3;
  header.ndm_state = state;
  NetlinkRequest message(type, 0, header);
  message.attribute(NDA_DST, kAddress.data(), kAddress.size());
  if (with_mac) message.attribute(NDA_LLADDR, kMac.bytes.data(), kMac.bytes.size());
  return message;
}

NetlinkRequest link(std::uint16_t type, const char* name, std::uint32_t mtu,
                    std::uint8_t family = AF_UNSPEC) {
  ifinfomsg header{};
  header.ifi_family = family;
  header.ifi_index = 3;
  header.ifi_flags = IFF_UP;
  NetlinkRequest message(type, 0, header);
  message.attribute(IFLA_IFNAME, name, std::strlen(name) + 1)
      .attribute(IFLA_ADDRESS, kMac.bytes.data(), kMac.bytes.size())
      .attribute(IFLA_MTU, &mtu, sizeof mtu);
  return message;
}

bool apply(KernelTables& tables, const NetlinkRequest& message) {
  return tables.apply(*reinterpret_cast<const nlmsghdr*>(message.bytes().data()));
}

TEST(KernelTables, NeighbourIsUsableInTheStatesInWhichTheKernelWouldSend) {
  struct Case {
    std::uint16_t state;
    bool usable;
    bool confirmed;
  };
  for (const Case& c : {Case{NUD_REACHABLE, true, true},
                        {NUD_PERMANENT, true, true},
                        {NUD_NOARP, true, true},
                        {NUD_STALE, true, false},
                        {NUD_DELAY, true, false},
                        {NUD_PROBE, true, false},
                        {NUD_INCOMPLETE, false, false},
                        {NUD_FAILED, false, false},
                        {NUD_NONE, false, false}}) {
    KernelTables tables;
    apply(tables, neighbour(RTM_NEWNEIGH, c.state));
    const Neighbour* known = tables.neighbour(3, kAddress);
    ASSERT_NE(known, nullptr);
    EXPECT_EQ(known->usable, c.usable) << c.state;
    EXPECT_EQ(known->confirmed, c.confirmed) << c.state;
  }
}

TEST(KernelTables, NeighbourWithoutAHardwareAddressIsNotUsable) {
  KernelTables tables;
  apply(tables, neighbour(RTM_NEWNEIGH, NUD_REACHABLE, false));
  EXPECT_FALSE(tables.neighbour(3, kAddress)->usable);
}

TEST(KernelTables, SaysWhetherAMessageWasNews) {
  KernelTables tables;
  EXPECT_TRUE(apply(tables, neighbour(RTM_NEWNEIGH, NUD_REACHABLE)));
  EXPECT_FALSE(apply(tables, neighbour(RTM_NEWNEIGH, NUD_REACHABLE)));
  EXPECT_TRUE(apply(tables, neighbour(RTM_NEWNEIGH, NUD_FAILED)));
  EXPECT_TRUE(apply(tables, neighbour(RTM_DELNEIGH, NUD_FAILED)));
  EXPECT_FALSE(apply(tables, neighbour(RTM_DELNEIGH, NUD_FAILED)));
  EXPECT_EQ(tables.neighbour(3, kAddress), nullptr);
}

TEST(KernelTables, LinksAreKnownByNameAndTakeTheirNeighboursWithThem) {
  KernelTables tables;
  EXPECT_TRUE(apply(tables, link(RTM_NEWLINK, "eth0", 1600)));
  EXPECT_FALSE(apply(tables, link(RTM_NEWLINK, "eth0", 1600)));
  EXPECT_TRUE(apply(tables, link(RTM_NEWLINK, "eth1", 1600))) << "renamed";
  EXPECT_EQ(tables.index_of("eth1"), 3);
  EXPECT_FALSE(tables.index_of("eth0"));
  EXPECT_EQ(tables.link(3)->mtu, 1600U);
  EXPECT_EQ(tables.link(3)->mac, kMac);
  apply(tables, neighbour(RTM_NEWNEIGH, NUD_REACHABLE));
  EXPECT_FALSE(apply(tables, link(RTM_NEWLINK, "br-port", 1500, AF_BRIDGE))) << "a bridge's view of a port";
  EXPECT_TRUE(apply(tables, link(RTM_DELLINK, "eth1", 1600)));
  EXPECT_EQ(tables.link(3), nullptr);
  EXPECT_EQ(tables.neighbour(3, kAddress), nullptr);
}

TEST(KernelTables, BrokenMessagesAreSurvived) {
  const std::uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  KernelTables tables;
  for (int i = 0; i < 20'000; ++i) {
    const auto good = i % 2 == 0 ? neighbour(RTM_NEWNEIGH, NUD_REACHABLE) : link(RTM_NEWLINK, "eth0", 1500);
    std::vector<std::uint8_t> bytes(good.bytes().begin(), good.bytes().end());
    for (int flips = 0; flips < 3; ++flips) {
      bytes[sizeof(nlmsghdr) + random() % (bytes.size() - sizeof(nlmsghdr))] =
          static_cast<std::uint8_t>(random());
    }
    auto* header = reinterpret_cast<nlmsghdr*>(bytes.data());
    header->nlmsg_len =
        static_cast<std::uint32_t>(sizeof(nlmsghdr) + random() % (bytes.size() - sizeof(nlmsghdr) + 1));
    // A copy of exactly that size, so that a sanitizer sees each byte too many.
    const std::vector<std::uint8_t> exact(bytes.begin(), bytes.begin() + header->nlmsg_len);
    tables.apply(*reinterpret_cast<const nlmsghdr*>(exact.data()));
  }
}

}  // namespace
}  // namespace penstock
