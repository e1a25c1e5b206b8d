// The weight loop between real gRPC sessions, with a planner that does what a test wants.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>

#include "controlplane/stream/weight_feed.h"
#include "tests/unit/controlplane/stream/client.h"

namespace penstock {
namespace {

using ::testing::ElementsAre;

DesiredSnapshot site(std::uint64_t generation, const std::string& policy) {
  Service web;
  web.id = "web";
  web.key = {*IpAddr::parse("203.0.113.10"), kProtoTcp, 80};
  web.backends = {Backend{"be1", *IpAddr::parse("10.0.31.2")}, Backend{"be2", *IpAddr::parse("10.0.32.2")}};
  web.policy = policy;
  Change change;
  change.put_services.push_back(std::make_shared<const Service>(std::move(web)));
  DesiredState state;
  state.epoch = 5;
  state.generation = generation - 1;
  return std::make_shared<const DesiredState>(apply(state, change));
}

/// Plans whatever weights it is given for the only service.
class Script {
 public:
  void plan(std::vector<std::uint32_t> weights) {
    const std::lock_guard lock(mutex_);
    weights_ = std::move(weights);
  }
  [[nodiscard]] load::PlannerFleet fleet() const {
    const std::lock_guard lock(mutex_);
    return fleet_;
  }
  [[nodiscard]] std::vector<load::NodeReport> reports() const {
    const std::lock_guard lock(mutex_);
    return reports_;
  }
  Planning planning() {
    return {.configure =
                [this](load::PlannerFleet fleet) {
                  const std::lock_guard lock(mutex_);
                  fleet_ = std::move(fleet);
                },
            .report =
                [this](const load::NodeReport& report) {
                  const std::lock_guard lock(mutex_);
                  reports_.push_back(report);
                },
            .step = [this](double) -> const load::Plan& {
              const std::lock_guard lock(mutex_);
              plan_.services.assign(1, {});
              plan_.services[0].backends = {0, 1};
              plan_.services[0].weights = weights_;
              plan_.explanations.resize(2);
              return plan_;
            }};
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::uint32_t> weights_{500, 500};
  std::vector<load::NodeReport> reports_;
  load::PlannerFleet fleet_;
  load::Plan plan_;  // the feed's thread
};

class WeightFeedTest : public ::testing::Test {
 protected:
  static proto::GatewayReport hello(const std::string& id, bool takes_weights = true) {
    proto::GatewayReport report = gateway_hello(id);
    report.mutable_hello()->set_weights(takes_weights);
    return report;
  }
  /// Reads until a directive brings weights; nothing when the stream ends before.
  static std::optional<proto::GatewayDirective> hear_weights(GatewayClient& client) {
    while (auto directive = client.hear()) {
      if (directive->has_weights()) return directive;
    }
    return std::nullopt;
  }
  static std::vector<std::uint32_t> weights_in(const proto::GatewayDirective& directive) {
    std::vector<std::uint32_t> out;
    for (const auto& service : directive.weights().services()) {
      for (const auto& backend : service.backends()) out.push_back(backend.weight());
    }
    return out;
  }
  /// What the dataplane counts, and how busy the only node that is heard of is.
  static proto::GatewayReport loads(const std::string& id, std::uint64_t uptime_ms, std::uint64_t flows,
                                    double cpu) {
    proto::GatewayReport report;
    report.set_gateway(id);
    proto::BackendLoads& loads = *report.mutable_loads();
    loads.set_uptime_ns(uptime_ms * 1'000'000);
    proto::ServiceStats& web = *loads.add_services();
    web.set_service("web");
    proto::BackendStats& be1 = *web.add_backends();
    be1.set_backend("be1");
    be1.set_new_flows(flows);
    be1.mutable_health()->mutable_load()->set_cpu_utilization(cpu);
    return report;
  }

  Script script_;
  std::unique_ptr<Streams> streams_ =
      std::move(Streams::start("127.0.0.1:0", TlsFiles{}, script_.planning())).value();
};

TEST_F(WeightFeedTest, PlannedWeightsReachGatewaysBesideTheOrdersAndOnlyWhenTheyChange) {
  streams_->publish(site(3, "least-load"));
  GatewayClient gw1(*streams_);
  ASSERT_TRUE(gw1.say(hello("gw1")));
  const auto first = hear_weights(gw1);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->weights().epoch(), 5U);
  EXPECT_EQ(first->weights().base_generation(), 3U);
  EXPECT_THAT(weights_in(*first), ElementsAre(500, 500));
  script_.plan({700, 300});
  const auto second = gw1.hear();
  ASSERT_TRUE(second && second->has_weights()) << "nothing came between";
  EXPECT_FALSE(second->has_config());
  EXPECT_TRUE(second->announce()) << "orders stand in every directive";
  EXPECT_THAT(weights_in(*second), ElementsAre(700, 300));
  EXPECT_GT(second->weights().version(), first->weights().version());
}

TEST_F(WeightFeedTest, ALateGatewayHearsTheLastWeightsAndAnOlderVersionNone) {
  script_.plan({900, 100});
  streams_->publish(site(3, "least-load"));
  GatewayClient gw1(*streams_);
  ASSERT_TRUE(gw1.say(hello("gw1")));
  ASSERT_TRUE(hear_weights(gw1));
  GatewayClient old(*streams_);
  ASSERT_TRUE(old.say(hello("gw2", false)));
  ASSERT_TRUE(old.hear()->has_config());
  GatewayClient late(*streams_);
  ASSERT_TRUE(late.say(hello("gw3")));
  const auto heard = hear_weights(late);
  ASSERT_TRUE(heard);
  EXPECT_THAT(weights_in(*heard), ElementsAre(900, 100));
  script_.plan({800, 200});
  ASSERT_TRUE(hear_weights(late));
  streams_->publish(site(4, "static"));
  const auto next = old.hear();
  ASSERT_TRUE(next);
  EXPECT_TRUE(next->has_config() && !next->has_weights()) << "weights said nothing to it";
}

TEST_F(WeightFeedTest, StaticServicesSayNothingUntilThereIsSomethingToTakeBack) {
  streams_->publish(site(3, "static"));
  GatewayClient gw1(*streams_);
  ASSERT_TRUE(gw1.say(hello("gw1")));
  ASSERT_TRUE(gw1.hear()->has_config());
  streams_->publish(site(4, "static"));
  const auto next = gw1.hear();
  ASSERT_TRUE(next && next->has_config()) << "nothing came between";
  EXPECT_FALSE(next->has_weights());
  // Its dataplane still has what an earlier control plane told, by a clock that was ahead.
  proto::GatewayReport status;
  status.set_gateway("gw1");
  status.mutable_status()->mutable_stats()->set_weights_version(1ULL << 60);
  ASSERT_TRUE(gw1.say(status));
  const auto taken_back = hear_weights(gw1);
  ASSERT_TRUE(taken_back);
  EXPECT_EQ(taken_back->weights().services_size(), 0);
  EXPECT_GT(taken_back->weights().version(), 1ULL << 60);
}

TEST_F(WeightFeedTest, AServiceThatBecomesStaticGetsItsConfiguredWeightsBack) {
  streams_->publish(site(3, "least-load"));
  GatewayClient gw1(*streams_);
  ASSERT_TRUE(gw1.say(hello("gw1")));
  ASSERT_TRUE(hear_weights(gw1));
  streams_->publish(site(4, "static"));
  auto last = hear_weights(gw1);
  while (last && last->weights().base_generation() != 4) last = hear_weights(gw1);
  ASSERT_TRUE(last);
  EXPECT_EQ(last->weights().services_size(), 0);
}

TEST_F(WeightFeedTest, APlanThatLeavesNobodyIsNotTold) {
  script_.plan({0, 0});
  streams_->publish(site(3, "least-load"));
  GatewayClient gw1(*streams_);
  ASSERT_TRUE(gw1.say(hello("gw1")));
  const auto heard = hear_weights(gw1);
  ASSERT_TRUE(heard);
  EXPECT_THAT(weights_in(*heard), ElementsAre(1, 1)) << "the configured ones";
}

TEST_F(WeightFeedTest, LoadsOfGatewaysReachThePlanner) {
  streams_->publish(site(3, "least-load"));
  GatewayClient gw1(*streams_);
  ASSERT_TRUE(gw1.say(hello("gw1")));
  ASSERT_TRUE(hear_weights(gw1));
  std::uint64_t round = 0;
  ASSERT_TRUE(eventually([&] {
    ++round;
    EXPECT_TRUE(gw1.say(loads("gw1", 1000 + 100 * round, 30 * round, 0.25)));
    return !script_.reports().empty();
  }));
  const load::NodeReport report = script_.reports().back();
  EXPECT_DOUBLE_EQ(report.utilization[0], 0.25);
  ASSERT_EQ(report.placements.size(), 1U);
  // How many a second is a matter of when they were heard.
  EXPECT_GT(report.placements[0].traffic.new_flows, 0);
}

TEST_F(WeightFeedTest, AControlPlaneThatBeginsGoesOnFromWhatIsInForce) {
  streams_->publish(site(3, "least-load"));
  GatewayClient gw1(*streams_);
  proto::GatewayReport back = hello("gw1");
  back.mutable_hello()->set_epoch(5);
  back.mutable_hello()->set_generation(3);
  ASSERT_TRUE(gw1.say(back));
  ASSERT_TRUE(gw1.hear());
  EXPECT_TRUE(script_.fleet().backends.empty()) << "it has not yet said what it uses";
  proto::GatewayReport said = loads("gw1", 1000, 0, 0.25);
  proto::ServiceStats& web = *said.mutable_loads()->mutable_services(0);
  web.mutable_backends(0)->set_weight(600);
  proto::BackendStats& be2 = *web.add_backends();
  be2.set_backend("be2");
  be2.set_weight(400);
  said.mutable_loads()->set_weights_version(7);
  ASSERT_TRUE(gw1.say(said));
  const auto heard = hear_weights(gw1);
  ASSERT_TRUE(heard);
  EXPECT_GT(heard->weights().version(), 7U);
  const load::PlannerFleet fleet = script_.fleet();
  ASSERT_EQ(fleet.backends.size(), 2U);
  EXPECT_EQ(fleet.backends[0].running_weight, 600U);
  EXPECT_EQ(fleet.backends[1].running_weight, 400U);
}

}  // namespace
}  // namespace penstock
