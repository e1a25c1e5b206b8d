#include "controlplane/stream/load_observation.h"

#include <gtest/gtest.h>

#include <cmath>

namespace penstock {
namespace {

using load::Dimension;

constexpr std::size_t kCpu = static_cast<std::size_t>(Dimension::kCpu);

Nanoseconds at_ms(std::int64_t ms) { return Nanoseconds::from_millis(100'000 + ms); }
double seconds_of(std::int64_t ms) { return 100 + static_cast<double>(ms) / 1000; }

/// web/be1 on node 0, web/be2 and dns/be1 on node 1.
class LoadObservationTest : public ::testing::Test {
 protected:
  LoadObservationTest() { observation_.follow(places_, 2); }

  /// What a gateway says of web/be1, `flows` and `bytes` since it began.
  void gateway(const std::string& id, std::int64_t ms, double uptime, std::uint64_t flows,
               double cpu = load::kAbsent, std::uint32_t age_ms = 0) {
    auto& services = said_.emplace_back();
    auto& service = *services.Add();
    service.set_service("web");
    auto& backend = *service.add_backends();
    backend.set_backend("be1");
    backend.set_new_flows(flows);
    backend.set_bytes(flows * 1000);
    backend.set_flows(7);
    if (std::isfinite(cpu)) {
      backend.mutable_health()->mutable_load()->set_cpu_utilization(cpu);
      backend.mutable_health()->mutable_load()->set_age_ms(age_ms);
      backend.mutable_health()->mutable_load()->set_response_p50_us(2000);
    }
    service.add_backends()->set_backend("unknown");
    gateways_.push_back({id, false, at_ms(ms), static_cast<std::uint64_t>(uptime * 1e9), nullptr});
  }
  /// Everything that was said since the last call.
  std::vector<load::NodeReport> observe(std::int64_t ms) {
    for (std::size_t i = 0; i < gateways_.size(); ++i) gateways_[i].services = &said_[i];
    auto reports = observation_.observe(gateways_, agents_, at_ms(ms));
    gateways_.clear();
    said_.clear();
    return reports;
  }

  const LoadObservation::Places places_{
      {{"web", "be1"}, {0, 0}}, {{"web", "be2"}, {1, 1}}, {{"dns", "be1"}, {2, 1}}};
  LoadObservation observation_;
  std::vector<google::protobuf::RepeatedPtrField<proto::ServiceStats>> said_;
  std::vector<GatewayLoads> gateways_;
  std::vector<AgentLoad> agents_;
};

TEST_F(LoadObservationTest, TwoReportsOfAGatewayMakeARateAndTheMomentIsThatOfTheMeasurement) {
  gateway("gw1", 0, 50, 1000, 0.4);
  EXPECT_TRUE(observe(0).empty()) << "one report alone has no span";
  gateway("gw1", 100, 50.1, 1030, 0.5, 20);
  const auto reports = observe(105);
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports[0].node, 0U);
  EXPECT_NEAR(reports[0].time, seconds_of(80), 1e-6);
  EXPECT_NEAR(reports[0].span, 0.1, 1e-6);
  EXPECT_DOUBLE_EQ(reports[0].utilization[kCpu], 0.5);
  EXPECT_TRUE(std::isnan(reports[0].utilization[static_cast<std::size_t>(Dimension::kGpu)]));
  ASSERT_EQ(reports[0].placements.size(), 1U);
  EXPECT_NEAR(reports[0].placements[0].traffic.new_flows, 300, 1e-3);
  EXPECT_NEAR(reports[0].placements[0].traffic.bytes, 300'000, 1);
  EXPECT_DOUBLE_EQ(reports[0].placements[0].traffic.active_flows, 7);
  EXPECT_DOUBLE_EQ(reports[0].placements[0].latency_seconds, 0.002);
  EXPECT_TRUE(std::isnan(reports[0].placements[0].latency_p99_seconds));
}

TEST_F(LoadObservationTest, TheSameReportAgainTeachesNothing) {
  gateway("gw1", 0, 50, 1000, 0.4);
  (void)observe(0);
  gateway("gw1", 100, 50.1, 1030, 0.5);
  EXPECT_EQ(observe(100).size(), 1U);
  gateway("gw1", 100, 50.1, 1030, 0.5);
  EXPECT_TRUE(observe(150).empty());
}

TEST_F(LoadObservationTest, RatesOfSeveralGatewaysAddUp) {
  gateway("gw1", 0, 50, 1000, 0.4);
  gateway("gw2", 0, 9, 10, 0.4);
  (void)observe(0);
  gateway("gw1", 100, 50.1, 1010, 0.5);
  gateway("gw2", 100, 9.1, 30, 0.5);
  auto reports = observe(100);
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_NEAR(reports[0].placements[0].traffic.new_flows, 300, 1e-3);
  EXPECT_DOUBLE_EQ(reports[0].placements[0].traffic.active_flows, 14);
  gateway("gw1", 200, 50.2, 1030, 0.5);
  reports = observe(200);
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_NEAR(reports[0].placements[0].traffic.new_flows, 400, 1e-3) << "the other's last rate still counts";
  gateway("gw1", 4000, 54, 1030, 0.5);
  reports = observe(4000);
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_NEAR(reports[0].placements[0].traffic.new_flows, 0, 1e-3) << "until it has been silent for too long";
}

TEST_F(LoadObservationTest, ARestartedDataplaneBeginsAnew) {
  gateway("gw1", 0, 50, 1000, 0.4);
  (void)observe(0);
  gateway("gw1", 100, 0.05, 2000, 0.5);
  EXPECT_TRUE(observe(100).empty()) << "2,000 flows in no time never happened";
  gateway("gw1", 200, 0.15, 2010, 0.6);
  const auto reports = observe(200);
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_NEAR(reports[0].placements[0].traffic.new_flows, 100, 1e-3);
}

TEST_F(LoadObservationTest, ACounterThatFallsIsNoNegativeRate) {
  gateway("gw1", 0, 50, 1000, 0.4);
  (void)observe(0);
  gateway("gw1", 100, 50.1, 10, 0.5);
  EXPECT_TRUE(observe(100).empty());
  gateway("gw1", 200, 50.2, 20, 0.5);
  EXPECT_NEAR(observe(200).at(0).placements[0].traffic.new_flows, 100, 1e-3);
}

TEST_F(LoadObservationTest, NothingMeasuredMeansNoReportAndTrafficIsKeptForTheNext) {
  gateway("gw1", 0, 50, 1000);
  (void)observe(0);
  gateway("gw1", 100, 50.1, 1010);
  EXPECT_TRUE(observe(100).empty());
  gateway("gw1", 200, 50.2, 1040, 0.5);
  const auto reports = observe(200);
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_NEAR(reports[0].span, 0.2, 1e-6);
  EXPECT_NEAR(reports[0].placements[0].traffic.new_flows, 200, 1e-3);
}

TEST_F(LoadObservationTest, TheFresherSourceCountsAndAgesAddUp) {
  proto::NodeStatus status;
  status.mutable_load()->mutable_cpu_utilization()->set_value(0.9);
  status.mutable_load()->mutable_cpu_utilization()->set_age_ms(500);
  status.mutable_load()->mutable_mem_utilization()->set_value(0.3);
  agents_ = {{0, at_ms(90), &status}};
  gateway("gw1", 0, 50, 1000, 0.4);
  (void)observe(95);
  gateway("gw1", 100, 50.1, 1010, 0.5, 30);
  const auto reports = observe(100);
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_DOUBLE_EQ(reports[0].utilization[kCpu], 0.5);
  EXPECT_DOUBLE_EQ(reports[0].utilization[static_cast<std::size_t>(Dimension::kMemory)], 0.3);
}

TEST_F(LoadObservationTest, WhatIsOldIsAbsent) {
  proto::NodeStatus status;
  status.mutable_load()->mutable_mem_utilization()->set_value(0.3);
  agents_ = {{0, at_ms(0), &status}};
  gateway("gw1", 0, 50, 1000, 0.4);
  (void)observe(0);
  gateway("gw1", 3500, 53.5, 1010, 0.5);
  const auto reports = observe(3500);
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_TRUE(std::isnan(reports[0].utilization[static_cast<std::size_t>(Dimension::kMemory)]));
}

TEST_F(LoadObservationTest, ACgroupThatRunsOutCountsForTheNodeAndALabelMakesItCountInAnyCase) {
  proto::NodeStatus status;
  status.mutable_load()->mutable_cpu_utilization()->set_value(0.6);
  auto& web = *status.add_services();
  web.set_service("web");
  web.mutable_telemetry()->mutable_cpu()->set_value(0.8);
  const auto cpu = [&](std::int64_t ms) {
    agents_ = {{0, at_ms(ms), &status}};
    gateway("gw1", ms, 50 + static_cast<double>(ms) / 1000, 1000);
    const auto reports = observe(ms);
    return reports.empty() ? load::kAbsent : reports[0].utilization[kCpu];
  };
  (void)cpu(0);
  EXPECT_DOUBLE_EQ(cpu(100), 0.8);
  web.mutable_telemetry()->mutable_cpu()->set_value(0.2);
  EXPECT_DOUBLE_EQ(cpu(200), 0.6);
  (*status.mutable_labels())["cpu"] = "cgroup";
  EXPECT_DOUBLE_EQ(cpu(300), 0.2);
}

TEST_F(LoadObservationTest, AnotherFleetKeepsTheCountersOfBackendsThatStay) {
  gateway("gw1", 0, 50, 1000, 0.4);
  (void)observe(0);
  observation_.follow({{{"api", "be1"}, {0, 0}}, {{"web", "be1"}, {1, 1}}}, 2);
  gateway("gw1", 100, 50.1, 1030, 0.5);
  const auto reports = observe(100);
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports[0].node, 1U);
  EXPECT_NEAR(reports[0].placements[0].traffic.new_flows, 300, 1e-3);
}

TEST_F(LoadObservationTest, ABreakerIsOpenWhenNoGatewayThatReportsSaysOtherwise) {
  EXPECT_FALSE(observation_.breaker_open(0));
  gateway("gw1", 0, 50, 1000);
  said_.back()[0].mutable_backends(0)->mutable_health()->set_breaker(proto::BREAKER_OPEN);
  (void)observe(0);
  EXPECT_TRUE(observation_.breaker_open(0));
  gateway("gw2", 0, 50, 1000);
  (void)observe(0);
  EXPECT_FALSE(observation_.breaker_open(0));
}

}  // namespace
}  // namespace penstock
