// The whole gateway between a control plane and a dataplane that speak real gRPC, with real routes in a
// namespace that the test makes for itself.
#include "controlplane/gateway/gateway.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "controlplane/gateway/realtime.h"
#include "eventually.h"
#include "fake_control.h"
#include "fake_dataplane.h"

namespace penstock {
namespace {

using namespace std::chrono_literals;
using test::config_with;
using test::directive;
using test::eventually;
using test::FakeControl;
using test::FakeDataplane;
using test::holds_for;
using Clock = std::chrono::steady_clock;

/// What a routing daemon was last asked for, and whether it does so.
struct RoutingRecord {
  std::mutex mutex;
  RoutingWish wish;
  std::string refusal;

  RoutingWish last() {
    const std::lock_guard lock(mutex);
    return wish;
  }
};

class FakeRoutingDaemon final : public RoutingDaemon {
 public:
  explicit FakeRoutingDaemon(RoutingRecord& record) : record_(record) {}
  Status follow(const RoutingWish& wish) override {
    const std::lock_guard lock(record_.mutex);
    if (!record_.refusal.empty()) return unavailable(record_.refusal);
    record_.wish = wish;
    return Ok{};
  }

 private:
  RoutingRecord& record_;
};

class GatewayTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root for a network namespace";
    ASSERT_EQ(unshare(CLONE_NEWNET), 0);
    ASSERT_EQ(std::system("ip link set lo up"), 0);
    prefer_this_thread("test");  // what is measured is the guard, not this thread's place in the queue
    witness_ = std::move(*VipRoutes::open({}));
    options_.session.gateway = "gw1";
    options_.session.target = "unix:" + dir_.path("control.sock");
    options_.session.credentials = grpc::InsecureChannelCredentials();
    options_.session.first_backoff = 10ms;
    options_.session.longest_backoff = 50ms;
    options_.session.status_interval = 20ms;
    options_.dataplane_socket = dir_.path("dataplane.sock");
    options_.state_dir = dir_.path();
  }

  void start_dataplane(ConfigId running = {}) {
    dataplane_.reset();
    dataplane_ = std::make_unique<FakeDataplane>(options_.dataplane_socket, running);
  }
  void start_control() { control_ = std::make_unique<FakeControl>(dir_.path("control.sock")); }
  void start_gateway() {
    auto daemon = std::make_unique<FakeRoutingDaemon>(routing_);
    gateway_ = std::make_unique<Gateway>(options_, std::move(*VipRoutes::open({})), std::move(daemon));
  }

  /// Control plane, dataplane and gateway up, the VIP announced.
  void bring_up() {
    start_dataplane();
    start_control();
    start_gateway();
    ASSERT_TRUE(eventually([&] { return control_->hellos() == 1; }));
    control_->send(directive(config_with({7, 1})));
    ASSERT_TRUE(eventually([&] { return routes() == kVip; }));
  }

  Announcements routes() { return *witness_->announced(); }

  Announcements drained() { return {{kVip.begin()->first, {.drained = true}}}; }
  proto::GatewayDrain::Phase drain_phase() { return control_->last_status()->drain().phase(); }
  proto::GatewayUpgrade upgrade() { return control_->last_status()->upgrade(); }

  const Announcements kVip{{*IpAddr::parse("203.0.113.10"), {}}};
  test::TempDir dir_;
  RoutingRecord routing_;
  GatewayOptions options_;
  std::unique_ptr<VipRoutes> witness_;
  std::unique_ptr<FakeDataplane> dataplane_;
  std::unique_ptr<FakeControl> control_;
  std::unique_ptr<Gateway> gateway_;
};

TEST_F(GatewayTest, SilenceWithdrawsWithinTheTimeoutAndSteadyBeatsAnnounceAgain) {
  bring_up();
  for (int round = 0; round < 3; ++round) {
    const auto silent = Clock::now();
    dataplane_->set_beating(false);
    ASSERT_TRUE(eventually([&] { return routes().empty(); }, 1s));
    const auto taken = Clock::now() - silent;
    EXPECT_GE(taken, 70ms) << "withdrawn before the timeout";
    EXPECT_LE(taken, 180ms) << "100 ms timeout, 20 ms interval, and the delay of a busy machine";
    const auto back = Clock::now();
    dataplane_->set_beating(true);
    ASSERT_TRUE(eventually([&] { return routes() == kVip; }, 2s));
    EXPECT_GE(Clock::now() - back, 190ms) << "announced before the hold time was over";
  }
}

TEST_F(GatewayTest, WhatTheFleetKnowsOfBackendsReachesTheDataplaneAndIsNotKept) {
  bring_up();
  proto::GatewayDirective word;
  word.set_announce(true);
  word.mutable_fleet()->add_verdicts()->set_service("web");
  control_->send(word);
  ASSERT_TRUE(eventually([&] { return dataplane_->fleet().size() == 1; }));
  EXPECT_EQ(dataplane_->fleet()[0].verdicts(0).service(), "web");
  EXPECT_EQ(dataplane_->applied().size(), 1u) << "the configuration stays as it is";
  EXPECT_EQ(routes(), kVip);
  control_->send(directive(config_with({7, 2})));
  ASSERT_TRUE(eventually([&] { return dataplane_->running() == ConfigId{7, 2}; }));
  ASSERT_TRUE(eventually([&] {
    const auto saved = LastGood(options_.state_dir).load();
    return saved && *saved && (*saved)->config().generation() == 2;
  }));
  EXPECT_FALSE((**LastGood(options_.state_dir).load()).has_fleet());
}

TEST_F(GatewayTest, DeadDataplaneWithdrawsAndItsSuccessorIsConfiguredAndAnnouncedAgain) {
  bring_up();
  dataplane_.reset();
  ASSERT_TRUE(eventually([&] { return routes().empty(); }, 1s));
  start_dataplane();
  ASSERT_TRUE(eventually([&] { return dataplane_->running() == ConfigId{7, 1}; }, 5s));
  EXPECT_TRUE(eventually([&] { return routes() == kVip; }, 5s));
}

TEST_F(GatewayTest, DataplaneThatDiesWithdrawsBeforeItsSilenceIsJudged) {
  options_.timing.heartbeat_timeout = Nanoseconds::from_millis(5000);
  bring_up();
  ASSERT_TRUE(eventually([&] { return gateway_->guard().state == GuardPolicy::State::kAlive; }));
  const auto died = Clock::now();
  dataplane_.reset();
  ASSERT_TRUE(eventually([&] { return routes().empty(); }, 3s));
  EXPECT_LE(Clock::now() - died, 100ms);
}

TEST_F(GatewayTest, StreamThatBreaksBesideALivingDataplaneIsNoDeath) {
  bring_up();
  ASSERT_TRUE(eventually([&] { return gateway_->guard().state == GuardPolicy::State::kAlive; }));
  dataplane_->break_streams();
  EXPECT_TRUE(holds_for(500ms, [&] { return routes() == kVip; }));
  EXPECT_GE(dataplane_->streams(), 2);
}

TEST_F(GatewayTest, RestartedDataplaneIsAnnouncedWhenItKnowsTheFlowsOfItsPeers) {
  bring_up();
  dataplane_.reset();
  ASSERT_TRUE(eventually([&] { return routes().empty(); }, 1s));
  start_dataplane();
  dataplane_->set_sync(proto::SYNC_FETCHING);
  ASSERT_TRUE(eventually([&] { return gateway_->guard().state == GuardPolicy::State::kReturning; }));
  ASSERT_TRUE(holds_for(1000ms, [&] { return routes().empty(); }));
  dataplane_->set_sync(proto::SYNC_READY);
  EXPECT_TRUE(eventually([&] { return routes() == kVip; }, 1s));
}

TEST_F(GatewayTest, RestartedAgentBesideADataplaneThatFetchesKeepsTheRoutes) {
  bring_up();
  gateway_.reset();
  dataplane_->set_sync(proto::SYNC_FETCHING);
  start_gateway();
  EXPECT_TRUE(holds_for(1500ms, [&] { return routes() == kVip; }));
}

TEST_F(GatewayTest, PolicyDecidesHowEachVipIsAnnounced) {
  bring_up();
  auto message = directive(config_with({7, 1}));
  message.mutable_policy()->set_med(100);
  control_->send(message);
  ASSERT_TRUE(eventually([&] { return routes() == Announcements{{kVip.begin()->first, {.med = 100}}}; }));
  auto* rule = message.mutable_policy()->add_vips();
  rule->set_vip("203.0.113.10");
  rule->set_drain(true);
  control_->send(message);
  ASSERT_TRUE(eventually([&] {
    return routes() == Announcements{{kVip.begin()->first, {.drained = true}}};
  }));
  rule->set_withhold(true);
  control_->send(message);
  EXPECT_TRUE(eventually([&] { return routes().empty(); }));
}

TEST_F(GatewayTest, RoutingDaemonIsToldTheLinkPolicyAndWhatIsAnnounced) {
  bring_up();
  auto message = directive(config_with({7, 1}));
  message.mutable_policy()->set_bandwidth_mbps(400);
  message.mutable_policy()->set_bfd_profile("normal");
  control_->send(message);
  const RoutingWish wish{kVip, LinkPolicy{.bandwidth_mbps = 400, .bfd_profile = "normal"}};
  EXPECT_TRUE(eventually([&] { return routing_.last() == wish; }));
  dataplane_->set_beating(false);
  EXPECT_TRUE(eventually([&] { return routing_.last() == RoutingWish{Announcements{}, wish.link}; }));
}

TEST_F(GatewayTest, RoutingDaemonThatRefusesIsInTheStatusAndHoldsNothingUp) {
  routing_.refusal = "vtysh failed with status 1";
  bring_up();
  EXPECT_TRUE(eventually([&] {
    const auto status = control_->last_status();
    return status && status->routing_error() == "vtysh failed with status 1";
  }));
  dataplane_.reset();
  EXPECT_TRUE(eventually([&] { return routes().empty(); }, 1s));
  {
    const std::lock_guard lock(routing_.mutex);
    routing_.refusal.clear();
  }
  EXPECT_TRUE(eventually([&] { return control_->last_status()->routing_error().empty(); }));
}

TEST_F(GatewayTest, LosingTheControlPlaneChangesNothing) {
  bring_up();
  control_.reset();
  ASSERT_TRUE(holds_for(1500ms, [&] { return routes() == kVip && dataplane_->running() == ConfigId{7, 1}; }));
  start_control();
  ASSERT_TRUE(eventually([&] { return control_->hellos() == 1; }));
  EXPECT_EQ(control_->reports()[0].hello().generation(), 1u);
}

TEST_F(GatewayTest, RestartAdoptsTheRoutesWithoutAFlap) {
  bring_up();
  control_.reset();
  gateway_.reset();  // leaves the routes, as a crash would
  ASSERT_EQ(routes(), kVip);
  start_gateway();
  ASSERT_TRUE(holds_for(1500ms, [&] { return routes() == kVip; }));
  EXPECT_EQ(gateway_->guard().state, GuardPolicy::State::kAlive);
  EXPECT_EQ(dataplane_->applied().size(), 1u);
}

TEST_F(GatewayTest, RestartBesideADeadDataplaneWithdraws) {
  bring_up();
  gateway_.reset();
  dataplane_.reset();
  ASSERT_EQ(routes(), kVip);
  start_gateway();
  EXPECT_TRUE(eventually([&] { return routes().empty(); }, 3s));
}

TEST_F(GatewayTest, StartsFromDiskWithoutAControlPlane) {
  ASSERT_TRUE(LastGood(dir_.path()).save(directive(config_with({7, 5}))));
  start_dataplane();
  start_gateway();
  EXPECT_TRUE(eventually([&] { return routes() == kVip; }, 5s));
  EXPECT_EQ(dataplane_->running(), (ConfigId{7, 5}));
}

proto::GatewayDirective upgrade_directive(std::uint64_t id) {
  auto message = directive(config_with({7, 1}));
  message.mutable_upgrade()->set_id(id);
  message.mutable_upgrade()->set_drain_timeout_seconds(20);
  return message;
}

TEST_F(GatewayTest, DrainMovesTheTrafficAwayBeforeItWithdraws) {
  bring_up();
  std::uint64_t packets = 100;
  control_->send(directive(config_with({7, 1}), false));
  ASSERT_TRUE(eventually([&] { return routes() == drained(); }));
  ASSERT_TRUE(holds_for(1500ms, [&] {
    dataplane_->set_packets(++packets);
    return routes() == drained();
  })) << "withdrawn while packets came";
  ASSERT_TRUE(eventually([&] {
    dataplane_->set_packets(++packets);
    return drain_phase() == proto::GatewayDrain::DRAINING &&
           control_->last_status()->drain().packets_per_second() > 0;
  }));
  EXPECT_EQ(control_->last_status()->drain().flows(), 3u);
  ASSERT_TRUE(eventually([&] { return routes().empty(); }));
  EXPECT_TRUE(eventually([&] { return drain_phase() == proto::GatewayDrain::WITHDRAWN; }));
  EXPECT_TRUE(eventually([&] { return drain_phase() == proto::GatewayDrain::QUIET; }));
  control_->send(directive(config_with({7, 1}), true));
  EXPECT_TRUE(eventually([&] { return routes() == kVip; }));
  EXPECT_TRUE(eventually([&] { return drain_phase() == proto::GatewayDrain::NONE; }));
}

TEST_F(GatewayTest, DrainWithdrawsAtItsDeadlineThoughPacketsCome) {
  bring_up();
  auto message = directive(config_with({7, 1}), false);
  message.set_drain_timeout_seconds(2);
  control_->send(message);
  std::uint64_t packets = 0;
  const auto start = Clock::now();
  ASSERT_TRUE(eventually([&] {
    dataplane_->set_packets(++packets);
    return routes().empty();
  }));
  EXPECT_GE(Clock::now() - start, 1900ms);
}

TEST_F(GatewayTest, DrainedGatewayThatStartsAnewAnnouncesNothingOnTheWay) {
  ASSERT_TRUE(LastGood(dir_.path()).save(directive(config_with({7, 5}), false)));
  start_dataplane();
  start_gateway();
  ASSERT_TRUE(eventually([&] { return gateway_->guard().state == GuardPolicy::State::kAlive; }));
  EXPECT_TRUE(holds_for(1000ms, [&] { return routes().empty(); }));
}

TEST_F(GatewayTest, UpgradeDrainsRestartsVerifiesAndAnnounces) {
  options_.restart_command = {"touch", dir_.path("restart asked")};
  bring_up();
  control_->send(upgrade_directive(5));
  ASSERT_TRUE(eventually([&] { return routes() == drained(); }));
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(dir_.path("restart asked")); }));
  EXPECT_TRUE(routes().empty());
  start_dataplane();
  dataplane_->set_sync(proto::SYNC_FETCHING);
  ASSERT_TRUE(eventually([&] { return upgrade().phase() == proto::GatewayUpgrade::VERIFYING; }));
  ASSERT_TRUE(holds_for(700ms, [&] { return routes().empty(); })) << "announced before the flows are known";
  dataplane_->set_sync(proto::SYNC_READY);
  ASSERT_TRUE(eventually([&] { return upgrade().phase() == proto::GatewayUpgrade::DONE; }))
      << upgrade().detail();
  EXPECT_EQ(routes(), kVip);
  EXPECT_EQ(upgrade().id(), 5u);

  std::filesystem::remove(dir_.path("restart asked"));
  gateway_.reset();
  start_gateway();  // from disk, with the directive that asked for the upgrade
  control_->send(upgrade_directive(5));
  EXPECT_TRUE(holds_for(1500ms, [&] {
    return routes() == kVip && !std::filesystem::exists(dir_.path("restart asked"));
  })) << "an upgrade was carried out twice";
}

TEST_F(GatewayTest, SecondUpgradeWaitsForTheFirst) {
  options_.restart_command = {"sh", "-c", "echo x >> " + dir_.path("restarts") + "; exit 1"};
  bring_up();
  control_->send(upgrade_directive(5));
  ASSERT_TRUE(eventually([&] { return upgrade().phase() == proto::GatewayUpgrade::DRAINING; }));
  control_->send(upgrade_directive(6));
  ASSERT_TRUE(eventually(
      [&] { return upgrade().id() == 6 && upgrade().phase() == proto::GatewayUpgrade::FAILED; }, 20s));
  EXPECT_EQ(std::filesystem::file_size(dir_.path("restarts")), 4u) << "one line per upgrade";
}

TEST_F(GatewayTest, RestartWithoutAControlPlaneKeepsPolicyPeersAndUpgradesDone) {
  options_.restart_command = {"touch", dir_.path("restart asked")};
  auto message = upgrade_directive(5);
  message.mutable_policy()->set_med(30);
  message.add_peers()->set_address("10.0.2.2:6082");
  ASSERT_TRUE(LastGood(dir_.path()).save(message));
  ASSERT_TRUE(UpgradeRecord(dir_.path()).put({5, UpgradePolicy::Phase::kDone, {}}));
  const Announcements at_30{{kVip.begin()->first, {.med = 30}}};
  start_dataplane();
  start_gateway();
  ASSERT_TRUE(eventually([&] { return routes() == at_30; }));
  gateway_.reset();
  start_gateway();
  EXPECT_TRUE(holds_for(1500ms, [&] { return routes() == at_30; })) << "a restarted agent flapped";
  ASSERT_FALSE(dataplane_->peers().empty());
  for (const auto& [peers, applied_before] : dataplane_->peers()) {
    EXPECT_EQ(peers, std::vector<std::string>{"10.0.2.2:6082"});
  }
  EXPECT_FALSE(std::filesystem::exists(dir_.path("restart asked")));
}

TEST_F(GatewayTest, UpgradeWhoseCommandFailsAnnouncesTheOldDataplaneAgain) {
  options_.restart_command = {"sh", "-c", "echo unit not found; exit 5"};
  bring_up();
  control_->send(upgrade_directive(6));
  ASSERT_TRUE(eventually([&] { return upgrade().phase() == proto::GatewayUpgrade::FAILED; }));
  EXPECT_EQ(upgrade().detail(), "sh failed with status 5: unit not found");
  EXPECT_TRUE(eventually([&] { return routes() == kVip; }));
}

TEST_F(GatewayTest, UpgradeIsRefusedWithoutACommand) {
  bring_up();
  control_->send(upgrade_directive(7));
  ASSERT_TRUE(eventually([&] { return upgrade().phase() == proto::GatewayUpgrade::FAILED; }));
  EXPECT_THAT(upgrade().detail(), ::testing::HasSubstr("--restart-command"));
  EXPECT_EQ(routes(), kVip);
}

TEST_F(GatewayTest, AgentThatWasRestartedAmidAnUpgradeGoesOnWithVerifying) {
  options_.restart_command = {"false"};
  UpgradeRecord record(dir_.path());
  ASSERT_TRUE(record.put({8, UpgradePolicy::Phase::kRestarting, {}}));
  ASSERT_TRUE(LastGood(dir_.path()).save(upgrade_directive(8)));
  start_control();
  start_dataplane();
  start_gateway();
  ASSERT_TRUE(eventually(
      [&] { return control_->last_status() && upgrade().phase() == proto::GatewayUpgrade::DONE; }));
  EXPECT_EQ(routes(), kVip);
}

TEST_F(GatewayTest, VipWithoutAServiceIsWithdrawn) {
  bring_up();
  auto emptied = config_with({7, 2});
  emptied.clear_services();
  control_->send(directive(emptied));
  EXPECT_TRUE(eventually([&] { return routes().empty(); }));
}

TEST_F(GatewayTest, DrainOfTheLastBackendKeepsTheVip) {
  bring_up();
  auto drained = config_with({7, 2});
  drained.mutable_services(0)->mutable_backends(0)->set_drain(true);
  control_->send(directive(drained));
  ASSERT_TRUE(eventually([&] { return dataplane_->running() == ConfigId{7, 2}; }));
  EXPECT_EQ(routes(), kVip);
}

TEST_F(GatewayTest, RouteDeletedByHandComesBack) {
  bring_up();
  ASSERT_EQ(std::system("ip route del blackhole 203.0.113.10/32"), 0);
  ASSERT_TRUE(routes().empty());
  EXPECT_TRUE(eventually([&] { return routes() == kVip; }, 3s));
}

TEST_F(GatewayTest, CleanStopWithdrawsFirst) {
  bring_up();
  gateway_->withdraw();
  EXPECT_TRUE(routes().empty());
}

TEST_F(GatewayTest, StatusTellsWhatIsAnnouncedAndCarriesTheStatistics) {
  bring_up();
  ASSERT_TRUE(eventually([&] {
    const auto status = control_->last_status();
    return status && status->announced_vips_size() == 1 && status->has_stats();
  }));
  const auto status = control_->last_status();
  EXPECT_TRUE(status->dataplane_alive());
  EXPECT_EQ(status->generation(), 1u);
  EXPECT_EQ(status->announced_vips(0), "203.0.113.10");
  EXPECT_EQ(status->stats().received_packets(), 42u);
  dataplane_.reset();
  EXPECT_TRUE(eventually([&] { return !control_->last_status()->dataplane_alive(); }));
}

}  // namespace
}  // namespace penstock
