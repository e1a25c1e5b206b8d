// DataplaneFeed against a dataplane that speaks real gRPC on a unix socket.
#include "controlplane/gateway/dataplane_feed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <mutex>
#include <vector>

#include "eventually.h"
#include "fake_control.h"
#include "fake_dataplane.h"

namespace penstock {
namespace {

using test::config_with;
using test::directive;
using test::eventually;
using test::FakeDataplane;

class DataplaneFeedTest : public ::testing::Test {
 protected:
  void start_feed() {
    client_ = std::make_unique<DataplaneClient>(socket_);
    feed_ = std::make_unique<DataplaneFeed>(
        *client_, last_good_,
        DataplaneFeed::Outputs{.report =
                                   [this](const auto& applied) {
                                     const std::lock_guard lock(mutex_);
                                     reports_.push_back(applied);
                                   },
                               .settled =
                                   [this](auto vips, const auto& orders, ConfigId) {
                                     const std::lock_guard lock(mutex_);
                                     if (!orders.announce()) vips.clear();
                                     announced_.push_back(std::move(vips));
                                     orders_ = orders;
                                   }});
  }
  void start_dataplane(ConfigId running = {}) {
    dataplane_.reset();
    dataplane_ = std::make_unique<FakeDataplane>(socket_, running);
  }
  std::vector<proto::ApplyConfigResponse> reports() {
    const std::lock_guard lock(mutex_);
    return reports_;
  }
  std::set<VipPrefix> announced() {
    const std::lock_guard lock(mutex_);
    return announced_.empty() ? std::set<VipPrefix>{} : announced_.back();
  }
  std::size_t announcements() {
    const std::lock_guard lock(mutex_);
    return announced_.size();
  }

  test::TempDir dir_;
  const std::string socket_ = dir_.path("dataplane.sock");
  const LastGood last_good_{dir_.path()};
  std::unique_ptr<FakeDataplane> dataplane_;
  std::mutex mutex_;
  std::vector<proto::ApplyConfigResponse> reports_;
  std::vector<std::set<VipPrefix>> announced_;
  proto::GatewayDirective orders_;
  std::unique_ptr<DataplaneClient> client_;
  std::unique_ptr<DataplaneFeed> feed_;  // ends first: its thread uses all of the above
};

const std::set<VipPrefix> kVip{*IpAddr::parse("203.0.113.10")};

TEST_F(DataplaneFeedTest, DirectiveIsAppliedSavedAnnouncedAndAnswered) {
  start_dataplane();
  start_feed();
  feed_->submit(directive(config_with({7, 1})));
  ASSERT_TRUE(eventually([&] { return reports().size() == 1; }));
  EXPECT_TRUE(reports()[0].accepted());
  EXPECT_EQ(reports()[0].running_generation(), 1u);
  EXPECT_EQ(dataplane_->running(), (ConfigId{7, 1}));
  EXPECT_EQ(feed_->running(), (ConfigId{7, 1}));
  EXPECT_EQ(announced(), kVip);
  auto saved = last_good_.load();
  ASSERT_TRUE(saved && saved->has_value());
  EXPECT_EQ((*saved)->config().generation(), 1u);
}

TEST_F(DataplaneFeedTest, RefusalIsReportedWithItsFieldsAndTheOldConfigurationStays) {
  start_dataplane();
  start_feed();
  feed_->submit(directive(config_with({7, 1})));
  ASSERT_TRUE(eventually([&] { return reports().size() == 1; }));
  dataplane_->refuse_with([](const proto::DataplaneConfig& config) {
    std::vector<proto::Refusal> refusals(config.generation() == 2 ? 1 : 0);
    for (auto& refusal : refusals) {
      refusal.set_field("services[0].backends[0].weight");
      refusal.set_message("must be 0–1000");
    }
    return refusals;
  });
  feed_->submit(directive(config_with({7, 2}, "203.0.113.99")));
  ASSERT_TRUE(eventually([&] { return reports().size() == 2; }));
  EXPECT_FALSE(reports()[1].accepted());
  ASSERT_EQ(reports()[1].refusals_size(), 1);
  EXPECT_EQ(reports()[1].refusals(0).field(), "services[0].backends[0].weight");
  EXPECT_EQ(reports()[1].running_generation(), 1u);
  EXPECT_EQ(announced(), kVip);
  EXPECT_EQ((**last_good_.load()).config().generation(), 1u);
  feed_->submit(directive(config_with({7, 3})));
  ASSERT_TRUE(eventually([&] { return reports().size() == 3; }));
  EXPECT_TRUE(reports()[2].accepted());
}

TEST_F(DataplaneFeedTest, WithdrawalHoldsThoughTheConfigurationBesideItIsRefused) {
  start_dataplane();
  start_feed();
  feed_->submit(directive(config_with({7, 1})));
  ASSERT_TRUE(eventually([&] { return reports().size() == 1; }));
  dataplane_->refuse_with([](const auto&) { return std::vector<proto::Refusal>(1); });
  feed_->submit(directive(config_with({7, 2}), false));
  ASSERT_TRUE(eventually([&] { return announcements() == 2; }));
  EXPECT_TRUE(announced().empty());
}

TEST_F(DataplaneFeedTest, StartsFromDiskWithoutAControlPlane) {
  ASSERT_TRUE(last_good_.save(directive(config_with({7, 5}))));
  start_dataplane();
  start_feed();
  ASSERT_TRUE(eventually([&] { return dataplane_->running() == ConfigId{7, 5}; }));
  ASSERT_TRUE(eventually([&] { return announced() == kVip; }));
  EXPECT_TRUE(reports().empty());
}

TEST_F(DataplaneFeedTest, DrainedGatewayStaysDrainedWhenItStartsFromDisk) {
  ASSERT_TRUE(last_good_.save(directive(config_with({7, 5}), false)));
  start_dataplane();
  start_feed();
  ASSERT_TRUE(eventually([&] { return announcements() == 1; }));
  EXPECT_TRUE(announced().empty());
}

TEST_F(DataplaneFeedTest, AdoptsWhatTheDataplaneRunsAlready) {
  ASSERT_TRUE(last_good_.save(directive(config_with({7, 5}))));
  start_dataplane({7, 5});
  start_feed();
  ASSERT_TRUE(eventually([&] { return announced() == kVip; }));
  EXPECT_TRUE(dataplane_->applied().empty());
}

TEST_F(DataplaneFeedTest, DoesNotTakeARunningDataplaneBackToTheOlderOneOnDisk) {
  ASSERT_TRUE(last_good_.save(directive(config_with({7, 5}))));
  start_dataplane({7, 6});
  start_feed();
  ASSERT_TRUE(eventually([&] { return feed_->running() == ConfigId{7, 6}; }));
  feed_->submit(directive(config_with({7, 6})));
  ASSERT_TRUE(eventually([&] { return reports().size() == 1; }));
  EXPECT_TRUE(reports()[0].accepted());
  EXPECT_TRUE(dataplane_->applied().empty());
}

TEST_F(DataplaneFeedTest, RestartedDataplaneGetsTheConfigurationAgain) {
  start_dataplane();
  start_feed();
  feed_->submit(directive(config_with({7, 1})));
  ASSERT_TRUE(eventually([&] { return reports().size() == 1; }));
  start_dataplane();
  feed_->observe({});
  EXPECT_TRUE(eventually([&] { return dataplane_->running() == ConfigId{7, 1}; }));
}

TEST_F(DataplaneFeedTest, ForeignEpochInTheDataplaneIsReplaced) {
  start_dataplane({99, 1000});
  start_feed();
  feed_->submit(directive(config_with({7, 1})));
  EXPECT_TRUE(eventually([&] { return dataplane_->running() == ConfigId{7, 1}; }));
}

TEST_F(DataplaneFeedTest, RestartedDataplaneGetsTheAcceptedOneWhenTheNewestIsRefusedAgain) {
  const auto refuse_second = [](const proto::DataplaneConfig& config) {
    return std::vector<proto::Refusal>(config.generation() == 2 ? 1 : 0);
  };
  start_dataplane();
  dataplane_->refuse_with(refuse_second);
  start_feed();
  feed_->submit(directive(config_with({7, 1})));
  ASSERT_TRUE(eventually([&] { return reports().size() == 1; }));
  feed_->submit(directive(config_with({7, 2})));
  ASSERT_TRUE(eventually([&] { return reports().size() == 2; }));
  start_dataplane();
  dataplane_->refuse_with(refuse_second);
  feed_->observe({});
  EXPECT_TRUE(eventually([&] { return dataplane_->running() == ConfigId{7, 1}; }));
  EXPECT_EQ(reports().size(), 2u) << "the control plane heard of the refusal twice";
}

TEST_F(DataplaneFeedTest, DataplaneThatComesLateStillGetsTheDirective) {
  start_feed();
  feed_->submit(directive(config_with({7, 1})));
  start_dataplane();
  EXPECT_TRUE(eventually([&] { return reports().size() == 1; }));
}

proto::GatewayDirective with_peers(proto::GatewayDirective directive, const std::vector<std::string>& peers) {
  for (const std::string& address : peers) directive.add_peers()->set_address(address);
  return directive;
}

TEST_F(DataplaneFeedTest, PeersAreKnownBeforeTheConfigurationAndToldOnceAsLongAsNothingChanges) {
  start_dataplane();
  start_feed();
  feed_->submit(with_peers(directive(config_with({7, 1})), {"10.0.2.2:6082"}));
  ASSERT_TRUE(eventually([&] { return reports().size() == 1; }));
  feed_->submit(with_peers(directive(config_with({7, 2})), {"10.0.2.2:6082"}));
  ASSERT_TRUE(eventually([&] { return reports().size() == 2; }));
  const std::vector<std::string> one{"10.0.2.2:6082"};
  ASSERT_EQ(dataplane_->peers().size(), 1u);
  EXPECT_EQ(dataplane_->peers()[0], std::pair(one, std::size_t{0}));
  feed_->submit(directive(config_with({7, 3})));
  ASSERT_TRUE(eventually([&] { return reports().size() == 3; }));
  ASSERT_EQ(dataplane_->peers().size(), 2u);
  EXPECT_TRUE(dataplane_->peers()[1].first.empty());
}

// As when a second gateway comes just after a write. Often enough that the feed does not always look between.
TEST_F(DataplaneFeedTest, PeersThatComeAloneDoNotReplaceAConfigurationThatWaits) {
  start_dataplane();
  start_feed();
  for (std::uint64_t generation = 1; generation <= 50; ++generation) {
    auto message = directive(config_with({7, generation}));
    feed_->submit(message);
    message.clear_config();
    feed_->submit(with_peers(message, {"10.0.2." + std::to_string(generation) + ":6082"}));
    ASSERT_TRUE(eventually([&] { return dataplane_->running() == ConfigId{7, generation}; })) << generation;
  }
  ASSERT_EQ(feed_->peers().size(), 1u);
  EXPECT_EQ(feed_->peers()[0].address(), "10.0.2.50:6082");
}

TEST_F(DataplaneFeedTest, RestartedDataplaneHearsOfItsPeersAgain) {
  start_dataplane();
  start_feed();
  feed_->submit(with_peers(directive(config_with({7, 1})), {"10.0.2.2:6082"}));
  ASSERT_TRUE(eventually([&] { return reports().size() == 1; }));
  start_dataplane();
  feed_->reconnected();
  feed_->observe({});
  ASSERT_TRUE(eventually([&] { return dataplane_->running() == ConfigId{7, 1}; }));
  ASSERT_EQ(dataplane_->peers().size(), 1u);
  EXPECT_EQ(dataplane_->peers()[0].first, std::vector<std::string>{"10.0.2.2:6082"});
}

TEST_F(DataplaneFeedTest, PeersAndPolicyComeFromDiskWithoutAControlPlane) {
  auto saved = with_peers(directive(config_with({7, 5})), {"10.0.2.2:6082"});
  saved.mutable_policy()->set_med(30);
  saved.mutable_upgrade()->set_id(12);
  ASSERT_TRUE(last_good_.save(saved));
  start_dataplane();
  start_feed();
  ASSERT_TRUE(eventually([&] { return announced() == kVip; }));
  ASSERT_EQ(dataplane_->peers().size(), 1u);
  EXPECT_EQ(dataplane_->peers()[0].first, std::vector<std::string>{"10.0.2.2:6082"});
  ASSERT_EQ(feed_->peers().size(), 1u) << "for the next hello";
  const std::lock_guard lock(mutex_);
  EXPECT_EQ(orders_.policy().med(), 30u);
  EXPECT_EQ(orders_.upgrade().id(), 12u);
}

TEST_F(DataplaneFeedTest, PolicyThatChangesAloneIsSavedAndPassedOn) {
  start_dataplane();
  start_feed();
  auto message = directive(config_with({7, 1}));
  feed_->submit(message);
  ASSERT_TRUE(eventually([&] { return announcements() == 1; }));
  message.mutable_policy()->set_med(40);
  feed_->submit(message);
  ASSERT_TRUE(eventually([&] { return announcements() == 2; }));
  EXPECT_EQ((**last_good_.load()).policy().med(), 40u);
  EXPECT_EQ(dataplane_->applied().size(), 1u);
}

TEST_F(DataplaneFeedTest, DamagedFileIsNotUsed) {
  ASSERT_TRUE(last_good_.save(directive(config_with({7, 5}))));
  std::filesystem::resize_file(last_good_.path(), 30);
  start_dataplane();
  start_feed();
  feed_->submit(directive(config_with({7, 1})));
  ASSERT_TRUE(eventually([&] { return reports().size() == 1; }));
  ASSERT_EQ(dataplane_->applied().size(), 1u);
  EXPECT_EQ(dataplane_->applied()[0].generation(), 1u);
}

}  // namespace
}  // namespace penstock
