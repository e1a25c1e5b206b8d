// VipRoutes against the kernel, in a network namespace that each test makes and leaves. iproute2 is the
// independent witness of what the kernel holds.
#include "controlplane/announce/vip_routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <set>
#include <string>

namespace penstock {
namespace {

using ::testing::HasSubstr;

VipPrefix ip(const std::string& text) { return *parse_vip(text); }

std::string run(const std::string& command) {
  std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen((command + " 2>&1").c_str(), "r"), &pclose);
  std::string out;
  std::array<char, 4096> chunk;
  while (std::size_t n = fread(chunk.data(), 1, chunk.size(), pipe.get())) out.append(chunk.data(), n);
  return out;
}

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
  auto change = routes_->set({ip("203.0.113.10"), ip("2001:db8::10")});
  ASSERT_TRUE(change) << change.error().text();
  EXPECT_EQ(change->added, 2u);
  EXPECT_THAT(table("-4", "201"), HasSubstr("blackhole 203.0.113.10"));
  EXPECT_THAT(table("-6", "main"), HasSubstr("blackhole 2001:db8::10"));
}

TEST_F(VipRoutesTest, AnnouncesAVipPrefixAsItIs) {
  const std::set<VipPrefix> vips{ip("203.0.113.0/24"), ip("203.0.113.0"), ip("2001:db8:5::/64")};
  ASSERT_TRUE(routes_->set(vips));
  EXPECT_THAT(table("-4", "201"), HasSubstr("blackhole 203.0.113.0/24"));
  EXPECT_THAT(table("-4", "201"), HasSubstr("blackhole 203.0.113.0 "));
  EXPECT_THAT(table("-6", "main"), HasSubstr("blackhole 2001:db8:5::/64"));
  EXPECT_EQ(*routes_->announced(), vips);
  const auto again = routes_->set(vips);
  EXPECT_EQ(again->added + again->deleted, 0u);
}

TEST_F(VipRoutesTest, SecondIdenticalCallChangesNothing) {
  const std::set<VipPrefix> vips{ip("203.0.113.10"), ip("203.0.113.11"), ip("2001:db8::10")};
  ASSERT_TRUE(routes_->set(vips));
  auto again = routes_->set(vips);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->added, 0u);
  EXPECT_EQ(again->deleted, 0u);
}

TEST_F(VipRoutesTest, ChangesOnlyTheDifference) {
  ASSERT_TRUE(routes_->set({ip("203.0.113.10"), ip("203.0.113.11"), ip("2001:db8::10")}));
  auto change = routes_->set({ip("203.0.113.11"), ip("203.0.113.12"), ip("2001:db8::10")});
  ASSERT_TRUE(change);
  EXPECT_EQ(change->added, 1u);
  EXPECT_EQ(change->deleted, 1u);
  EXPECT_EQ(*routes_->announced(),
            (std::set<VipPrefix>{ip("203.0.113.11"), ip("203.0.113.12"), ip("2001:db8::10")}));
}

TEST_F(VipRoutesTest, RouteDeletedByHandComesBack) {
  ASSERT_TRUE(routes_->set({ip("203.0.113.10"), ip("2001:db8::10")}));
  ASSERT_EQ(run("ip route del blackhole 203.0.113.10/32 table 201"), "");
  ASSERT_EQ(run("ip -6 route del blackhole 2001:db8::10/128"), "");
  auto change = routes_->set({ip("203.0.113.10"), ip("2001:db8::10")});
  ASSERT_TRUE(change);
  EXPECT_EQ(change->added, 2u);
  EXPECT_THAT(table("-4", "201"), HasSubstr("203.0.113.10"));
}

TEST_F(VipRoutesTest, AdoptsTheRoutesOfAnEarlierProcess) {
  ASSERT_EQ(run("ip route add blackhole 203.0.113.10/32 table 201 proto 99"), "");
  EXPECT_EQ(*routes_->announced(), std::set<VipPrefix>{ip("203.0.113.10")});
  auto change = routes_->set({ip("203.0.113.10")});
  ASSERT_TRUE(change);
  EXPECT_EQ(change->added + change->deleted, 0u);
}

TEST_F(VipRoutesTest, LeavesRoutesOfOthersAlone) {
  ASSERT_EQ(run("ip route add blackhole 198.51.100.1/32 table 201 proto static"), "");
  ASSERT_EQ(run("ip route add blackhole 198.51.100.2/32 table 202 proto 99"), "");
  ASSERT_EQ(run("ip -6 route add blackhole 2001:db8:f::1/128 proto static"), "");
  ASSERT_TRUE(routes_->set({ip("203.0.113.10")}));
  ASSERT_TRUE(routes_->withdraw_all());
  EXPECT_THAT(run("ip route show table 201"), HasSubstr("198.51.100.1"));
  EXPECT_THAT(run("ip route show table 202"), HasSubstr("198.51.100.2"));
  EXPECT_THAT(run("ip -6 route show"), HasSubstr("2001:db8:f::1"));
}

TEST_F(VipRoutesTest, RemovesRoutesOfOurNumberThatAreNoVipRoutes) {
  ASSERT_EQ(run("ip route add blackhole 203.0.113.0/24 table 201 proto 99"), "");
  ASSERT_EQ(run("ip route add unicast 203.0.113.10/32 dev lo table 201 proto 99"), "");
  ASSERT_EQ(run("ip route add blackhole 203.0.113.11/32 table 201 proto 99 metric 7"), "");
  ASSERT_EQ(run("ip route add blackhole 203.0.113.11/32 table 201 proto 99 metric 8"), "");
  auto change = routes_->set({ip("203.0.113.10"), ip("203.0.113.11")});
  ASSERT_TRUE(change) << change.error().text();
  EXPECT_EQ(change->deleted, 3u);
  EXPECT_EQ(change->added, 1u);
  EXPECT_THAT(table("-4", "201"), ::testing::Not(HasSubstr("/24")));
  EXPECT_EQ(routes_->announced()->size(), 2u);
}

TEST_F(VipRoutesTest, PrefixTakenBySomebodyElseIsNamedAndTheOthersAreAnnounced) {
  ASSERT_EQ(run("ip route add blackhole 203.0.113.10/32 table 201 proto static"), "");
  auto change = routes_->set({ip("203.0.113.10"), ip("203.0.113.11")});
  ASSERT_FALSE(change);
  EXPECT_THAT(change.error().message, HasSubstr("203.0.113.10/32 in route table 201"));
  EXPECT_EQ(*routes_->announced(), std::set<VipPrefix>{ip("203.0.113.11")});
}

TEST_F(VipRoutesTest, WithdrawsTenThousandVipsWithoutLeavingOne) {
  std::set<VipPrefix> vips;
  for (int i = 0; i < 10'000; ++i) {
    vips.insert(
        IpAddr(Ipv4Addr{{10, 99, static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i & 0xff)}}));
  }
  ASSERT_TRUE(routes_->set(vips));
  EXPECT_EQ(routes_->announced()->size(), vips.size());
  auto change = routes_->withdraw_all();
  ASSERT_TRUE(change);
  EXPECT_EQ(change->deleted, vips.size());
  EXPECT_EQ(table("-4", "201"), "");
}

TEST_F(VipRoutesTest, OtherTablesAndProtocolNumbersCanBeChosen) {
  open({.table_v4 = 300, .table_v6 = 301, .protocol = 142});
  ASSERT_TRUE(routes_->set({ip("203.0.113.10"), ip("2001:db8::10")}));
  EXPECT_THAT(run("ip -4 route show table 300 proto 142"), HasSubstr("203.0.113.10"));
  EXPECT_THAT(run("ip -6 route show table 301 proto 142"), HasSubstr("2001:db8::10"));
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
