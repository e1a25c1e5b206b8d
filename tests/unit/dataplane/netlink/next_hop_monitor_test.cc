// The monitor against the running kernel, in a network namespace of this process's own.
#include "dataplane/netlink/next_hop_monitor.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <thread>

namespace penstock {
namespace {

const MacAddr kRouter{{2, 0, 0, 0, 0, 0x11}};
const MacAddr kOther{{2, 0, 0, 0, 0, 0x22}};

bool shell(const std::string& command) { return std::system((command + " >/dev/null 2>&1").c_str()) == 0; }
IpAddr ip(const std::string& text) { return IpAddr::parse(text).value(); }

class NextHopMonitorTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root for a network namespace";
    ASSERT_EQ(unshare(CLONE_NEWNET), 0);
    ASSERT_TRUE(shell(
        "ip link add gw0 mtu 1600 type veth peer name peer0 && ip link set gw0 address 02:00:00:00:00:01 "
        "&& ip link set peer0 up && ip link set gw0 up && ip addr add 10.7.0.1/24 dev gw0 && "
        "ip addr add 2001:db8:7::1/64 dev gw0 nodad"));
    ASSERT_TRUE(
        shell("ip neigh add 10.7.0.11 lladdr 02:00:00:00:00:11 dev gw0 nud permanent && "
              "ip neigh add 10.7.0.22 lladdr 02:00:00:00:00:22 dev gw0 nud permanent && "
              "ip neigh add 2001:db8:7::11 lladdr 02:00:00:00:00:11 dev gw0 nud permanent"));
  }
  void open(NextHopSettings settings) {
    auto opened = NextHopMonitor::open(std::move(settings));
    ASSERT_TRUE(opened) << opened.error().text();
    monitor_ = std::move(opened).value();
    monitor_->follow([this] { ++changes_; });
  }
  void open() { open({{{0, "gw0"}}, {}, {}, {}}); }
  std::optional<NextHop> hop(const std::string& backend) {
    const std::vector<IpAddr> backends{ip(backend)};
    const NextHops hops = monitor_->resolve(backends);
    const auto found = hops.find(backends[0]);
    return found == hops.end() ? std::nullopt : std::optional(found->second);
  }
  bool told_of_change(int since) const {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (changes_ <= since) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
  }

  std::atomic<int> changes_{0};
  std::unique_ptr<NextHopMonitor> monitor_;
};

TEST_F(NextHopMonitorTest, BackendOnTheLinkIsItsOwnNeighbour) {
  open();
  const auto found = hop("10.7.0.11");
  ASSERT_TRUE(found);
  EXPECT_EQ(*found, (NextHop{MacAddr{{2, 0, 0, 0, 0, 1}}, kRouter, ip("10.7.0.1"), 0, 1600}));
}

TEST_F(NextHopMonitorTest, LongestPrefixThenLowestMetricDecides) {
  ASSERT_TRUE(
      shell("ip route add default via 10.7.0.11 && ip route add 198.18.0.0/16 via 10.7.0.22 && "
            "ip route add 198.18.5.0/24 via 10.7.0.22 metric 20 && "
            "ip route add 198.18.5.0/24 via 10.7.0.11 metric 10"));
  open();
  EXPECT_EQ(hop("192.0.2.1")->destination, kRouter);
  EXPECT_EQ(hop("198.18.0.1")->destination, kOther);
  EXPECT_EQ(hop("198.18.5.1")->destination, kRouter);
}

TEST_F(NextHopMonitorTest, RouteSourceAndMtuAreTheKernels) {
  ASSERT_TRUE(
      shell("ip addr add 10.99.0.9/32 dev lo && ip link set lo up && "
            "ip route add 198.18.0.0/16 via 10.7.0.11 src 10.99.0.9 mtu 1550"));
  open();
  const auto found = hop("198.18.0.1");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->outer_source, ip("10.99.0.9"));
  EXPECT_EQ(found->mtu, 1550);
}

TEST_F(NextHopMonitorTest, ConfiguredSourceWins) {
  open({{{0, "gw0"}}, {}, Ipv4Addr{{192, 0, 2, 9}}, {}});
  EXPECT_EQ(hop("10.7.0.11")->outer_source, ip("192.0.2.9"));
}

TEST_F(NextHopMonitorTest, Ipv6IsFollowedToo) {
  ASSERT_TRUE(shell("ip -6 route add 2001:db8:100::/48 via 2001:db8:7::11"));
  open();
  const auto found = hop("2001:db8:100::5");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->destination, kRouter);
  EXPECT_EQ(found->outer_source, ip("2001:db8:7::1"));
}

TEST_F(NextHopMonitorTest, Ipv4RouteMayHaveAnIpv6Gateway) {
  ASSERT_TRUE(shell("ip route add 198.18.0.0/16 via inet6 2001:db8:7::11 dev gw0"));
  open();
  EXPECT_EQ(hop("198.18.0.1")->destination, kRouter);
}

TEST_F(NextHopMonitorTest, WhatCannotBeReachedHasNoNextHop) {
  ASSERT_TRUE(
      shell("ip route add blackhole 198.18.1.0/24 && ip route add unreachable 198.18.2.0/24 && "
            "ip link add other0 type veth peer name other1 && ip link set other0 up && "
            "ip link set other1 up && ip route add 198.18.3.0/24 dev other0"));
  open();
  EXPECT_FALSE(hop("198.18.0.1")) << "no route";
  EXPECT_FALSE(hop("198.18.1.1")) << "blackhole";
  EXPECT_FALSE(hop("198.18.2.1")) << "unreachable";
  EXPECT_FALSE(hop("198.18.3.1")) << "an interface without a port";
  EXPECT_FALSE(hop("10.7.0.1")) << "this host itself";
  EXPECT_FALSE(hop("10.7.0.33")) << "a neighbour that does not answer";
}

TEST_F(NextHopMonitorTest, ChangesOfRoutesAndNeighboursAreTold) {
  open();
  EXPECT_FALSE(hop("198.18.0.1"));
  const auto step = [&](const std::string& command) {
    const int before = changes_;
    return shell(command) && told_of_change(before);
  };
  EXPECT_TRUE(step("ip route add 198.18.0.0/16 via 10.7.0.11"));
  EXPECT_EQ(hop("198.18.0.1")->destination, kRouter);
  EXPECT_TRUE(step("ip route replace 198.18.0.0/16 via 10.7.0.22"));
  EXPECT_EQ(hop("198.18.0.1")->destination, kOther);
  EXPECT_TRUE(step("ip neigh replace 10.7.0.22 lladdr 02:00:00:00:00:11 dev gw0 nud permanent"));
  EXPECT_EQ(hop("198.18.0.1")->destination, kRouter);
  EXPECT_TRUE(step("ip link set gw0 mtu 1700"));
  EXPECT_EQ(hop("198.18.0.1")->mtu, 1700);
  EXPECT_TRUE(step("ip link set gw0 address 02:00:00:00:00:55"));
  EXPECT_FALSE(hop("198.18.0.1")) << "with the address the kernel forgets the neighbours";
  EXPECT_TRUE(step("ip neigh replace 10.7.0.22 lladdr 02:00:00:00:00:22 dev gw0 nud permanent"));
  ASSERT_TRUE(hop("198.18.0.1"));
  EXPECT_EQ(hop("198.18.0.1")->source.text(), "02:00:00:00:00:55");
  EXPECT_EQ(monitor_->interface_mac(0)->text(), "02:00:00:00:00:55");
  EXPECT_TRUE(step("ip link set gw0 down"));
  EXPECT_FALSE(hop("198.18.0.1"));
}

TEST_F(NextHopMonitorTest, NewsThatChangesNoAnswerIsNotTold) {
  open();
  ASSERT_TRUE(hop("10.7.0.11"));
  ASSERT_TRUE(shell("ip route add 198.18.0.0/16 via 10.7.0.22"));
  // A change that is told proves that the one before has been looked at.
  ASSERT_TRUE(shell("ip neigh replace 10.7.0.11 lladdr 02:00:00:00:00:22 dev gw0 nud permanent"));
  ASSERT_TRUE(told_of_change(0));
  EXPECT_EQ(changes_, 1);
}

TEST_F(NextHopMonitorTest, UnknownNeighbourIsAskedForUntilItAnswers) {
  // The peer's end is moved to a namespace of its own so that ARP has somebody to answer.
  const std::string peer = "penstock-nh-" + std::to_string(getpid());
  ASSERT_TRUE(shell("ip netns add " + peer));
  open();
  EXPECT_FALSE(hop("10.7.0.44"));
  EXPECT_TRUE(shell("ip link set peer0 netns " + peer + " && ip -n " + peer +
                    " addr add 10.7.0.44/24 dev peer0 && ip -n " + peer +
                    " link set peer0 address 02:00:00:00:00:44 up"));
  EXPECT_TRUE(told_of_change(0));
  const auto found = hop("10.7.0.44");
  shell("ip netns del " + peer);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->destination.text(), "02:00:00:00:00:44");
}

TEST_F(NextHopMonitorTest, StaleNeighbourIsConfirmedAndADeadOneGivenUp) {
  const std::string peer = "penstock-nh-" + std::to_string(getpid());
  ASSERT_TRUE(shell("ip netns add " + peer + " && ip link set peer0 netns " + peer + " && ip -n " + peer +
                    " addr add 10.7.0.44/24 dev peer0 && ip -n " + peer + " link set peer0 up"));
  // Otherwise the kernel waits 5 s before it probes and 3 s while it does.
  shell("sysctl -w net.ipv4.neigh.gw0.delay_first_probe_time=0 net.ipv4.neigh.gw0.retrans_time_ms=50");
  shell("ip neigh add 10.7.0.44 lladdr 02:00:00:00:00:99 dev gw0 nud stale");
  open();
  const auto wrong = hop("10.7.0.44");
  // Stale and wrong: the probe finds out.
  const bool corrected = told_of_change(0);
  const auto right = hop("10.7.0.44");
  const int before = changes_;
  shell("ip -n " + peer + " addr del 10.7.0.44/24 dev peer0");
  shell("ip neigh change 10.7.0.44 dev gw0 nud stale");
  const bool gone = told_of_change(before);
  const auto dead = hop("10.7.0.44");
  shell("ip netns del " + peer);
  ASSERT_TRUE(wrong);
  EXPECT_EQ(wrong->destination.text(), "02:00:00:00:00:99");
  EXPECT_TRUE(corrected);
  ASSERT_TRUE(right);
  EXPECT_NE(right->destination.text(), "02:00:00:00:00:99");
  EXPECT_TRUE(gone);
  EXPECT_FALSE(dead);
}

TEST_F(NextHopMonitorTest, PortsWithoutAnInterfaceLeaveByTheirStaticNextHop) {
  StaticNextHop hop_v4;
  hop_v4.port = 1;
  hop_v4.source = MacAddr{{2, 0, 0, 0, 0, 0xaa}};
  hop_v4.destination = MacAddr{{2, 0, 0, 0, 0, 0xbb}};
  hop_v4.source_v4 = Ipv4Addr{{192, 0, 2, 1}};
  hop_v4.mtu = 9000;
  open({{{0, "gw0"}}, {hop_v4}, {}, {}});
  EXPECT_EQ(hop("10.7.0.11")->port, 0) << "the kernel knows a way";
  const auto found = hop("198.18.0.1");
  ASSERT_TRUE(found);
  EXPECT_EQ(*found, (NextHop{hop_v4.source, hop_v4.destination, ip("192.0.2.1"), 1, 9000}));
  EXPECT_FALSE(hop("2001:db8:100::5")) << "no source address of that family";
}

TEST_F(NextHopMonitorTest, MissingInterfaceIsRefused) {
  auto refused = NextHopMonitor::open({{{0, "nope0"}}, {}, {}, {}});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("nope0"), std::string::npos);
}

TEST_F(NextHopMonitorTest, ThousandsOfBackendsAreResolvedInOneSweep) {
  ASSERT_TRUE(shell("ip route add default via 10.7.0.11"));
  open();
  std::vector<IpAddr> backends;
  for (int i = 0; i < 5000; ++i) {
    backends.emplace_back(
        Ipv4Addr{{198, 18, static_cast<std::uint8_t>(i / 250), static_cast<std::uint8_t>(i % 250)}});
  }
  const auto begin = std::chrono::steady_clock::now();
  const NextHops hops = monitor_->resolve(backends);
  const auto took = std::chrono::steady_clock::now() - begin;
  EXPECT_EQ(hops.size(), backends.size());
  std::printf("5000 backends resolved in %.1f ms\n", std::chrono::duration<double, std::milli>(took).count());
}

}  // namespace
}  // namespace penstock
