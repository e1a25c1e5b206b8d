// ControlSession against a control plane that speaks real gRPC.
#include "controlplane/gateway/control_session.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "eventually.h"
#include "fake_control.h"
#include "fake_dataplane.h"

namespace penstock {
namespace {

using namespace std::chrono_literals;
using test::config_with;
using test::eventually;
using test::FakeControl;

class ControlSessionTest : public ::testing::Test {
 protected:
  void start_session() {
    ControlSession::Options options;
    options.gateway = "gw1";
    options.target = "unix:" + socket_;
    options.credentials = grpc::InsecureChannelCredentials();
    options.version = "1.2.3";
    options.first_backoff = 10ms;
    options.longest_backoff = 50ms;
    options.status_interval = 20ms;
    options.loads_interval = 5ms;
    session_ = std::make_unique<ControlSession>(
        options, ControlSession::Callbacks{.on_directive = [this](auto) { ++directives_; },
                                           .status =
                                               [] {
                                                 proto::GatewayStatus status;
                                                 status.set_dataplane_alive(true);
                                                 status.add_announced_vips("203.0.113.10");
                                                 return status;
                                               },
                                           .running =
                                               [] {
                                                 return ConfigId{7, 3};
                                               },
                                           .peers =
                                               [] {
                                                 std::vector<proto::SyncPeer> peers(1);
                                                 peers[0].set_gateway("gw2");
                                                 return peers;
                                               },
                                           .loads = [this]() -> std::optional<proto::BackendLoads> {
                                             if (!wanted_) return std::nullopt;
                                             proto::BackendLoads loads;
                                             loads.set_generation(3);
                                             return loads;
                                           }});
    session_->start();
  }

  test::TempDir dir_;
  const std::string socket_ = dir_.path("control.sock");
  std::atomic<int> directives_{0};
  std::atomic<bool> wanted_{false};  // loads
  std::unique_ptr<FakeControl> control_;
  std::unique_ptr<ControlSession> session_;
};

TEST_F(ControlSessionTest, BeginsWithAHelloThatSaysWhatRuns) {
  control_ = std::make_unique<FakeControl>(socket_);
  start_session();
  ASSERT_TRUE(eventually([&] { return !control_->reports().empty(); }));
  const auto first = control_->reports()[0];
  EXPECT_EQ(first.gateway(), "gw1");
  ASSERT_TRUE(first.has_hello());
  EXPECT_EQ(first.hello().version(), "1.2.3");
  EXPECT_EQ(first.hello().epoch(), 7u);
  EXPECT_EQ(first.hello().generation(), 3u);
  ASSERT_EQ(first.hello().peers_size(), 1);
  EXPECT_EQ(first.hello().peers(0).gateway(), "gw2");
}

TEST_F(ControlSessionTest, SendsStatusAgainAndAgain) {
  control_ = std::make_unique<FakeControl>(socket_);
  start_session();
  ASSERT_TRUE(eventually([&] { return control_->reports().size() >= 4; }));
  const auto status = control_->last_status();
  ASSERT_TRUE(status);
  EXPECT_TRUE(status->dataplane_alive());
  EXPECT_EQ(status->announced_vips(0), "203.0.113.10");
  EXPECT_EQ(control_->hellos(), 1u);
}

TEST_F(ControlSessionTest, SendsLoadsBesideTheStatusOnceTheyAreWanted) {
  control_ = std::make_unique<FakeControl>(socket_);
  start_session();
  const auto loads = [&] {
    const auto reports = control_->reports();
    return std::count_if(reports.begin(), reports.end(), [](const auto& r) { return r.has_loads(); });
  };
  ASSERT_TRUE(eventually([&] { return control_->reports().size() >= 4; }));
  EXPECT_TRUE(control_->reports()[0].hello().weights());
  EXPECT_EQ(loads(), 0);
  wanted_ = true;
  ASSERT_TRUE(eventually([&] { return loads() >= 4; }));
  const std::size_t statuses = control_->reports().size();
  EXPECT_TRUE(eventually([&] {
    const auto reports = control_->reports();
    return std::any_of(reports.begin() + static_cast<std::ptrdiff_t>(statuses), reports.end(),
                       [](const auto& r) { return r.has_status(); });
  })) << "they do not crowd it out";
}

TEST_F(ControlSessionTest, HandsOnDirectivesAndReportsTheirFate) {
  control_ = std::make_unique<FakeControl>(socket_);
  start_session();
  ASSERT_TRUE(eventually([&] { return control_->hellos() == 1; }));
  control_->send(test::directive(config_with({7, 4})));
  ASSERT_TRUE(eventually([&] { return directives_ == 1; }));
  proto::ApplyConfigResponse refused;
  refused.add_refusals()->set_field("services[0].port");
  session_->report(refused);
  ASSERT_TRUE(eventually([&] { return control_->last_applied().has_value(); }));
  EXPECT_EQ(control_->last_applied()->refusals(0).field(), "services[0].port");
}

TEST_F(ControlSessionTest, DialsAgainAfterTheStreamEnded) {
  control_ = std::make_unique<FakeControl>(socket_);
  start_session();
  for (std::size_t round = 1; round <= 3; ++round) {
    ASSERT_TRUE(eventually([&] { return control_->hellos() == round; })) << "round " << round;
    control_->drop_sessions();
  }
}

TEST_F(ControlSessionTest, FindsAControlPlaneThatStartsLaterAndOneThatRestarts) {
  start_session();
  for (int round = 0; round < 2; ++round) {
    control_ = std::make_unique<FakeControl>(socket_);
    ASSERT_TRUE(eventually([&] { return control_->hellos() == 1; })) << "round " << round;
    control_.reset();
  }
}

TEST_F(ControlSessionTest, ReportWithoutAStreamIsForgotten) {
  start_session();
  session_->report(proto::ApplyConfigResponse{});
  control_ = std::make_unique<FakeControl>(socket_);
  ASSERT_TRUE(eventually([&] { return control_->last_status().has_value(); }));
  EXPECT_FALSE(control_->last_applied());
}

TEST_F(ControlSessionTest, StopsPromptlyWithAndWithoutAPeer) {
  start_session();
  auto begin = std::chrono::steady_clock::now();
  session_->stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 2s);
  control_ = std::make_unique<FakeControl>(socket_);
  start_session();
  ASSERT_TRUE(eventually([&] { return control_->hellos() == 1; }));
  begin = std::chrono::steady_clock::now();
  session_->stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 2s);
}

}  // namespace
}  // namespace penstock
