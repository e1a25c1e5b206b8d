// Each routing daemon for real: what a router (FRR 8.4) sees of what the gateway asks for.
#include "controlplane/announce/routing_daemon.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "controlplane/announce/vip_routes.h"
#include "routing_lab.h"

namespace penstock {
namespace {

using namespace std::chrono_literals;
using test::RoutingLab;
using ::testing::HasSubstr;
using Clock = std::chrono::steady_clock;

const char* const kV4 = "203.0.113.10";
const char* const kV6 = "2001:db8:ffff::10";

bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds deadline = 15s) {
  const auto end = Clock::now() + deadline;
  while (!condition()) {
    if (Clock::now() > end) return false;
    std::this_thread::sleep_for(5ms);
  }
  return true;
}

Announcements both(Announcement how) { return {{*parse_vip(kV4), how}, {*parse_vip(kV6), how}}; }

class RoutingDaemonTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root for network namespaces";
    lab_ = std::make_unique<RoutingLab>(GetParam());
    ASSERT_TRUE(eventually([&] { return lab_->sessions_up(); }, 30s)) << "no BGP sessions";
    daemon_ = std::move(*make_routing_daemon(lab_->options()));
    std::thread([&] {
      lab_->enter_gateway();
      routes_ = std::move(*VipRoutes::open({}));
    }).join();
  }

  /// What guard and worker do together.
  void announce(const Announcements& announced, const LinkPolicy& link = {}) {
    auto changed = routes_->set(announced);
    ASSERT_TRUE(changed) << changed.error().text();
    auto status = daemon_->follow({announced, link});
    ASSERT_TRUE(status) << status.error().text();
  }

  bool path_shows(const char* vip, int med, const std::string& text) {
    const auto path = lab_->path(vip);
    return path.is_object() && path.value("metric", -1) == med && path.dump().find(text) != std::string::npos;
  }

  std::unique_ptr<RoutingLab> lab_;
  std::unique_ptr<RoutingDaemon> daemon_;
  std::unique_ptr<VipRoutes> routes_;
};

TEST_P(RoutingDaemonTest, RouterSeesVipMedCommunityAndBandwidthAndLosesThemWhenTold) {
  announce(both({.med = 100}), {.bandwidth_mbps = 100});
  for (const char* vip : {kV4, kV6}) {
    EXPECT_TRUE(eventually([&] { return path_shows(vip, 101, "LB:65001:12500000"); }))
        << lab_->path(vip).dump();
    EXPECT_TRUE(eventually([&] { return lab_->routed(vip); }));
    EXPECT_FALSE(path_shows(vip, 101, "gracefulShutdown"));
  }
  announce(both({.drained = true}), {.bandwidth_mbps = 200});
  for (const char* vip : {kV4, kV6}) {
    EXPECT_TRUE(eventually([&] { return path_shows(vip, 70'000, "LB:65001:25000000"); }))
        << lab_->path(vip).dump();
    EXPECT_TRUE(path_shows(vip, 70'000, "gracefulShutdown")) << lab_->path(vip).dump();
    EXPECT_EQ(lab_->path(vip).value("locPrf", lab_->path(vip).value("localpref", -1)), 0);
  }
  announce(both({.med = 0}));
  for (const char* vip : {kV4, kV6}) {
    EXPECT_TRUE(eventually([&] { return path_shows(vip, 1, ""); })) << lab_->path(vip).dump();
    EXPECT_TRUE(eventually([&] { return !path_shows(vip, 1, "LB:"); })) << lab_->path(vip).dump();
    EXPECT_FALSE(path_shows(vip, 1, "gracefulShutdown"));
  }
  announce({});
  for (const char* vip : {kV4, kV6}) {
    EXPECT_TRUE(eventually([&] { return !lab_->routed(vip) && lab_->path(vip).is_null(); }));
  }
}

TEST_P(RoutingDaemonTest, BfdFollowsTheProfileWithoutLosingTheSession) {
  if (GetParam() == std::string("gobgp")) GTEST_SKIP() << "GoBGP has no BFD";
  announce(both({}), {.bfd_profile = "fast"});
  EXPECT_TRUE(eventually([&] { return lab_->bfd_interval_ms() == 50; }));
  ASSERT_TRUE(eventually([&] { return lab_->routed(kV4); }));
  announce(both({}), {.bfd_profile = "normal"});
  EXPECT_TRUE(eventually([&] { return lab_->bfd_interval_ms() == 300; }));
  EXPECT_TRUE(lab_->routed(kV4));
  announce(both({}), {.bfd_profile = "fast"});
  ASSERT_TRUE(eventually([&] { return lab_->bfd_interval_ms() == 50; }));
  const auto silent = Clock::now();
  lab_->go_silent();
  ASSERT_TRUE(eventually([&] { return !lab_->routed(kV4); }));
  const auto taken = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - silent);
  std::printf("%s: a silent gateway is gone from the router's kernel after %ld ms\n", GetParam(),
              taken.count());
  EXPECT_LE(taken, 1500ms) << "BGP alone would take its hold time of 9 s";
}

TEST_P(RoutingDaemonTest, ChangeReachesTheRoutersKernelSoon) {
  std::string figures;
  for (int round = 0; round < 5; ++round) {
    const auto start = Clock::now();
    announce(both({}));
    ASSERT_TRUE(eventually([&] { return lab_->routed(kV4); }, 5s));
    const auto announced = Clock::now();
    announce({});
    ASSERT_TRUE(eventually([&] { return !lab_->routed(kV4); }, 5s));
    const auto gone = Clock::now();
    const auto ms = [](auto time) {
      return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(time).count());
    };
    figures += " " + ms(announced - start) + "/" + ms(gone - announced);
  }
  std::printf("%s: announced/withdrawn at the router's kernel after ms:%s\n", GetParam(), figures.c_str());
}

TEST_P(RoutingDaemonTest, AgentThatStartsAnewAdoptsWhatItsPredecessorAnnounced) {
  announce(both({.med = 7}), {.bandwidth_mbps = 100});
  ASSERT_TRUE(eventually([&] { return path_shows(kV4, 8, "LB:"); }));
  daemon_ = std::move(*make_routing_daemon(lab_->options()));
  ASSERT_TRUE(daemon_->follow({})) << "nothing is known yet";
  EXPECT_TRUE(path_shows(kV4, 8, "LB:"));
  const Announcements one{{*parse_vip(kV6), {.med = 7}}};
  announce(one, {.bandwidth_mbps = 100});
  EXPECT_TRUE(eventually([&] { return !lab_->routed(kV4); }));
  EXPECT_TRUE(path_shows(kV6, 8, "LB:"));
}

TEST_P(RoutingDaemonTest, DaemonThatIsGoneIsAnErrorThatNamesIt) {
  lab_->kill_daemon();
  const auto status = daemon_->follow({both({}), LinkPolicy{.bandwidth_mbps = 5}});
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr(GetParam() == std::string("frr")    ? "vtysh"
                                                : GetParam() == std::string("bird") ? "birdc"
                                                                                    : "gobgpd"));
}

INSTANTIATE_TEST_SUITE_P(Daemons, RoutingDaemonTest, ::testing::Values("frr", "bird", "gobgp"),
                         [](const auto& instance) { return std::string(instance.param); });

TEST(RoutingOptions, UnknownDaemonIsRefused) {
  RoutingOptions options;
  options.daemon = "quagga";
  auto made = make_routing_daemon(options);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().field, "--routing");
}

}  // namespace
}  // namespace penstock
