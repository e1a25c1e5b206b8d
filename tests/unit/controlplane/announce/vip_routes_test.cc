// VipRoutes against the kernel, in a network namespace that each test makes and leaves. iproute2 is the
// independent witness of what the kernel holds.
#include "controlplane/announce/vip_routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

namespace penstock {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

VipPrefix ip(const std::string& text) { return *parse_vip(text); }

Announcements at_med(std::uint16_t med, std::initializer_list<const char*> vips) {
  Announcements out;
  for (const char* vip : vips) out[ip(vip)] = {.med = med};
  return out;
}

std::string run(const std::string& command) {
  std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen((command + " 2>&1").c_str(), "r"), &pclose);
  std::string out;
  std::array<char, 4096> chunk;
  while (std::size_t n = fread(chunk.data(), 1, chunk.size(), pipe.get())) out.append(chunk.data(), n);
  return out;
}

/// What the kernel tells the world about routes, as a routing daemon hears it.
class RouteEvents {
 public:
  RouteEvents() : fd_(socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, NETLINK_ROUTE)) {
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  RouteEvents(const RouteEvents&) = delete;
  RouteEvents& operator=(const RouteEvents&) = delete;
  ~RouteEvents() { close(fd_); }

  std::vector<std::string> all() const {
    std::vector<std::string> out;
    alignas(nlmsghdr) std::array<char, 8192> buffer;
    for (ssize_t n; (n = recv(fd_, buffer.data(), buffer.size(), 0)) > 0;) {
      const auto* message = reinterpret_cast<const nlmsghdr*>(buffer.data());
      for (int left = static_cast<int>(n); NLMSG_OK(message, left); message = NLMSG_NEXT(message, left)) {
        if (message->nlmsg_type == RTM_NEWROUTE) out.emplace_back("add");
        if (message->nlmsg_type == RTM_DELROUTE) out.emplace_back("delete");
      }
    }
    return out;
  }

 private:
  int fd_;
};

class VipRoutesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root for a network namespace";
    ASSERT_EQ(unshare(CLONE_NEWNET), 0);
    run("ip link set lo up");
    open({});
  }

  void open(const VipRouteOptions& options) {
    auto opened = VipRoutes::open(options);
    ASSERT_TRUE(opened) << opened.error().text();
    routes_ = std::move(*opened);
  }

  std::string table(const std::string& family, const std::string& number) {
    return run("ip " + family + " route show table " + number + " proto 99");
  }

  std::unique_ptr<VipRoutes> routes_;
};

TEST_F(VipRoutesTest, AnnouncesAsBlackholeHostRoutesOfBothFamilies) {
  auto change = routes_->set(at_med(0, {"203.0.113.10", "2001:db8::10"}));
  ASSERT_TRUE(change) << change.error().text();
  EXPECT_EQ(change->added, 2u);
  EXPECT_THAT(table("-4", "main"), HasSubstr("blackhole 203.0.113.10"));
  EXPECT_THAT(table("-6", "main"), HasSubstr("blackhole 2001:db8::10"));
}

TEST_F(VipRoutesTest, AnnouncesAVipPrefixAsItIs) {
  const Announcements vips = at_med(0, {"203.0.113.0/24", "203.0.113.0", "2001:db8:5::/64"});
  ASSERT_TRUE(routes_->set(vips));
  EXPECT_THAT(table("-4", "main"), HasSubstr("blackhole 203.0.113.0/24"));
  EXPECT_THAT(table("-4", "main"), HasSubstr("blackhole 203.0.113.0 "));
  EXPECT_THAT(table("-6", "main"), HasSubstr("blackhole 2001:db8:5::/64"));
  EXPECT_EQ(*routes_->announced(), vips);
  const auto again = routes_->set(vips);
  EXPECT_EQ(again->added + again->deleted, 0u);
}

TEST_F(VipRoutesTest, SecondIdenticalCallChangesNothing) {
  const Announcements vips = at_med(0, {"203.0.113.10", "203.0.113.11", "2001:db8::10"});
  ASSERT_TRUE(routes_->set(vips));
  auto again = routes_->set(vips);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->added, 0u);
  EXPECT_EQ(again->deleted, 0u);
}

TEST_F(VipRoutesTest, ChangesOnlyTheDifference) {
  ASSERT_TRUE(routes_->set(at_med(0, {"203.0.113.10", "203.0.113.11", "2001:db8::10"})));
  auto change = routes_->set(at_med(0, {"203.0.113.11", "203.0.113.12", "2001:db8::10"}));
  ASSERT_TRUE(change);
  EXPECT_EQ(change->added, 1u);
  EXPECT_EQ(change->deleted, 1u);
  EXPECT_EQ(*routes_->announced(), at_med(0, {"203.0.113.11", "203.0.113.12", "2001:db8::10"}));
}

TEST_F(VipRoutesTest, RouteDeletedByHandComesBack) {
  ASSERT_TRUE(routes_->set(at_med(0, {"203.0.113.10", "2001:db8::10"})));
  ASSERT_EQ(run("ip route del blackhole 203.0.113.10/32"), "");
  ASSERT_EQ(run("ip -6 route del blackhole 2001:db8::10/128"), "");
  auto change = routes_->set(at_med(0, {"203.0.113.10", "2001:db8::10"}));
  ASSERT_TRUE(change);
  EXPECT_EQ(change->added, 2u);
  EXPECT_THAT(table("-4", "main"), HasSubstr("203.0.113.10"));
}

TEST_F(VipRoutesTest, AdoptsTheRoutesOfAnEarlierProcess) {
  ASSERT_EQ(run("ip route add blackhole 203.0.113.10/32 proto 99 metric 1"), "");
  EXPECT_EQ(*routes_->announced(), at_med(0, {"203.0.113.10"}));
  auto change = routes_->set(at_med(0, {"203.0.113.10"}));
  ASSERT_TRUE(change);
  EXPECT_EQ(change->added + change->deleted, 0u);
}

TEST_F(VipRoutesTest, LeavesRoutesOfOthersAlone) {
  ASSERT_EQ(run("ip route add blackhole 198.51.100.1/32 proto static"), "");
  ASSERT_EQ(run("ip route add blackhole 198.51.100.2/32 table 202 proto 99"), "");
  ASSERT_EQ(run("ip -6 route add blackhole 2001:db8:f::1/128 proto static"), "");
  ASSERT_TRUE(routes_->set(at_med(0, {"203.0.113.10"})));
  ASSERT_TRUE(routes_->withdraw_all());
  EXPECT_THAT(run("ip route show"), HasSubstr("198.51.100.1"));
  EXPECT_THAT(run("ip route show table 202"), HasSubstr("198.51.100.2"));
  EXPECT_THAT(run("ip -6 route show"), HasSubstr("2001:db8:f::1"));
}

TEST_F(VipRoutesTest, RemovesRoutesOfOurNumberThatAreNoVipRoutes) {
  ASSERT_EQ(run("ip route add blackhole 203.0.113.0/24 proto 99"), "");
  ASSERT_EQ(run("ip route add unicast 203.0.113.10/32 dev lo proto 99"), "");
  ASSERT_EQ(run("ip route add blackhole 203.0.113.11/32 proto 99 metric 1"), "");
  ASSERT_EQ(run("ip route add blackhole 203.0.113.11/32 proto 99 metric 8"), "");
  auto change = routes_->set(at_med(0, {"203.0.113.10", "203.0.113.11"}));
  ASSERT_TRUE(change) << change.error().text();
  EXPECT_EQ(change->deleted, 3u);
  EXPECT_EQ(change->added, 1u);
  EXPECT_THAT(table("-4", "main"), ::testing::Not(HasSubstr("/24")));
  EXPECT_EQ(routes_->announced()->size(), 2u);
}

TEST_F(VipRoutesTest, PrefixTakenBySomebodyElseIsNamedAndTheOthersAreAnnounced) {
  ASSERT_EQ(run("ip route add blackhole 203.0.113.10/32 proto static metric 1"), "");
  auto change = routes_->set(at_med(0, {"203.0.113.10", "203.0.113.11"}));
  ASSERT_FALSE(change);
  EXPECT_THAT(change.error().message, HasSubstr("203.0.113.10/32 in route"));
  EXPECT_EQ(*routes_->announced(), at_med(0, {"203.0.113.11"}));
}

TEST_F(VipRoutesTest, WithdrawsTenThousandVipsWithoutLeavingOne) {
  Announcements vips;
  for (int i = 0; i < 10'000; ++i) {
    vips[IpAddr(Ipv4Addr{{10, 99, static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i & 0xff)}})];
  }
  ASSERT_TRUE(routes_->set(vips));
  EXPECT_EQ(routes_->announced()->size(), vips.size());
  auto change = routes_->withdraw_all();
  ASSERT_TRUE(change);
  EXPECT_EQ(change->deleted, vips.size());
  EXPECT_EQ(table("-4", "main"), "");
}

TEST_F(VipRoutesTest, OtherTablesAndProtocolNumbersCanBeChosen) {
  open({.table_v4 = 300, .table_v6 = 301, .protocol = 142});
  ASSERT_TRUE(routes_->set(at_med(0, {"203.0.113.10", "2001:db8::10"})));
  EXPECT_THAT(run("ip -4 route show table 300 proto 142"), HasSubstr("203.0.113.10"));
  EXPECT_THAT(run("ip -6 route show table 301 proto 142"), HasSubstr("2001:db8::10"));
}

TEST_F(VipRoutesTest, MetricIsOneMoreThanTheMedAndBeyondEveryMedForADrainedVip) {
  const Announcements vips{{ip("203.0.113.10"), {.med = 0}},        {ip("203.0.113.11"), {.med = 65'535}},
                           {ip("203.0.113.12"), {.drained = true}}, {ip("2001:db8::10"), {.med = 0}},
                           {ip("2001:db8::11"), {.med = 100}},      {ip("2001:db8::12"), {.drained = true}}};
  ASSERT_TRUE(routes_->set(vips));
  EXPECT_THAT(table("-4", "main"), HasSubstr("203.0.113.10 metric 1 "));
  EXPECT_THAT(table("-4", "main"), HasSubstr("203.0.113.11 metric 65536 "));
  EXPECT_THAT(table("-4", "main"), HasSubstr("203.0.113.12 metric 70000 "));
  EXPECT_THAT(table("-6", "main"), HasSubstr("2001:db8::10 dev lo metric 1 "));
  EXPECT_THAT(table("-6", "main"), HasSubstr("2001:db8::11 dev lo metric 101 "));
  EXPECT_THAT(table("-6", "main"), HasSubstr("2001:db8::12 dev lo metric 70000 "));
  EXPECT_EQ(*routes_->announced(), vips);
}

TEST_F(VipRoutesTest, VipWhoseMetricChangesIsNeverGone) {
  ASSERT_TRUE(routes_->set(at_med(0, {"203.0.113.10", "2001:db8::10"})));
  RouteEvents events;
  Announcements drained = at_med(0, {"203.0.113.10", "2001:db8::10"});
  for (auto& [vip, announcement] : drained) announcement.drained = true;
  auto change = routes_->set(drained);
  ASSERT_TRUE(change) << change.error().text();
  EXPECT_EQ(change->added, 2u);
  EXPECT_EQ(change->deleted, 2u);
  EXPECT_EQ(*routes_->announced(), drained);
  EXPECT_THAT(events.all(), ElementsAre("add", "add", "delete", "delete"));
}

TEST_F(VipRoutesTest, RouteOfAnOlderVersionIsReplacedAndNotLost) {
  ASSERT_EQ(run("ip route add blackhole 203.0.113.10/32 proto 99"), "");  // metric 0
  EXPECT_TRUE(routes_->announced()->empty());
  auto change = routes_->set(at_med(0, {"203.0.113.10"}));
  ASSERT_TRUE(change) << change.error().text();
  EXPECT_EQ(change->added, 1u);
  EXPECT_EQ(change->deleted, 1u);
  EXPECT_THAT(table("-4", "main"), HasSubstr("203.0.113.10 metric 1 "));
}

TEST_F(VipRoutesTest, VipWhoseNewMetricIsTakenKeepsItsOldRoute) {
  ASSERT_TRUE(routes_->set(at_med(0, {"203.0.113.10"})));
  ASSERT_EQ(run("ip route add blackhole 203.0.113.10/32 proto static metric 8"), "");
  ASSERT_FALSE(routes_->set(at_med(7, {"203.0.113.10"})));
  EXPECT_EQ(*routes_->announced(), at_med(0, {"203.0.113.10"}));
}

TEST_F(VipRoutesTest, RefusesTheKernelsOwnProtocolNumbers) {
  auto opened = VipRoutes::open({.protocol = 2});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().field, "route_protocol");
}

TEST_F(VipRoutesTest, SaysWhatIsMissingWithoutPermission) {
  EXPECT_EXIT(
      {
        if (setresuid(65534, 65534, 65534) != 0) _exit(1);
        auto opened = VipRoutes::open({});
        std::fputs(opened ? "opened" : opened.error().message.c_str(), stderr);
        _exit(0);
      },
      ::testing::ExitedWithCode(0), "CAP_NET_ADMIN");
}

}  // namespace
}  // namespace penstock
