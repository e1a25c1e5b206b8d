#include "controlplane/stream/load_observation.h"

#include <gtest/gtest.h>

#include <algorithm>
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

TEST_F(LoadObservationTest, AReportIsOfTheLastWindowAndItsMomentIsThatOfTheMeasurement) {
  gateway("gw1", 0, 50, 1000, 0.4);
  EXPECT_TRUE(observe(0).empty()) << "one report alone has no span";
  std::vector<load::NodeReport> reports;
  for (int i = 1; i <= 6; ++i) {
    gateway("gw1", 100 * i, 50 + 0.1 * i, 1000 + 30 * static_cast<std::uint64_t>(i), i % 2 != 0 ? 0.4 : 0.6,
            20);
    reports = observe(100 * i + 5);
  }
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports[0].node, 0U);
  EXPECT_NEAR(reports[0].time, seconds_of(580), 1e-6);
  EXPECT_NEAR(reports[0].span, LoadObservation::kWindow, 1e-6);
  EXPECT_NEAR(reports[0].utilization[kCpu], (0.6 + 0.4 + 0.6) / 3, 1e-6);
  EXPECT_TRUE(std::isnan(reports[0].utilization[static_cast<std::size_t>(Dimension::kGpu)]));
  ASSERT_EQ(reports[0].placements.size(), 1U);
  EXPECT_NEAR(reports[0].placements[0].traffic.new_flows, 300, 1e-3);
  EXPECT_NEAR(reports[0].placements[0].traffic.bytes, 300'000, 1);
  EXPECT_DOUBLE_EQ(reports[0].placements[0].traffic.active_flows, 7) << "of flow tables: no host counts";
  EXPECT_DOUBLE_EQ(reports[0].placements[0].latency_seconds, 0.002);
  EXPECT_TRUE(std::isnan(reports[0].placements[0].latency_p99_seconds));
}

TEST_F(LoadObservationTest, FlowsAreCountedOverTheTimeThatTheirWorkWasMeasuredIn) {
  // Flows come in one burst; the gateway's reports of it come at other moments than the host's.
  for (int i = 0; i <= 10; ++i) {
    gateway("gw1", 100 * i, 50 + 0.1 * i, i < 5 ? 1000 : 1100, 0.1 + 0.01 * i, 90);
    const auto reports = observe(100 * i);
    if (i < 5) continue;
    ASSERT_EQ(reports.size(), 1U) << i;
    const double until = reports[0].time - LoadObservation::kWorkAfterFlow - seconds_of(0);
    const auto came = [](double time) { return 1000 * std::clamp(time - 0.4, 0.0, 0.1); };
    const double from = until - LoadObservation::kWindow;
    EXPECT_NEAR(reports[0].placements[0].traffic.new_flows, (came(until) - came(from)) / (until - from), 1e-3)
        << i;
  }
}

TEST_F(LoadObservationTest, TheSameReportAgainTeachesNothing) {
  gateway("gw1", 0, 50, 1000, 0.4);
  (void)observe(0);
  gateway("gw1", 200, 50.2, 1030, 0.5);
  EXPECT_EQ(observe(200).size(), 1U);
  gateway("gw1", 200, 50.2, 1030, 0.5);
  EXPECT_TRUE(observe(250).empty());
  gateway("gw1", 260, 50.26, 1030, 0.5);
  EXPECT_TRUE(observe(260).empty()) << "sensors were not read again: it is the same value";
}

TEST_F(LoadObservationTest, RatesOfSeveralGatewaysAddUp) {
  const auto both = [&](std::int64_t ms, bool second) {
    const auto flows = static_cast<std::uint64_t>(ms);
    const double uptime = static_cast<double>(ms) / 1000;
    gateway("gw1", ms, 50 + uptime, 1000 + flows / 10, 0.4 + uptime / 100);
    if (second) gateway("gw2", ms + 30, 9 + uptime, 10 + flows / 5, 0.4 + uptime / 100);
    return observe(ms + 50);
  };
  std::vector<load::NodeReport> reports;
  for (int i = 0; i <= 6; ++i) reports = both(100 * i, true);
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_NEAR(reports[0].placements[0].traffic.new_flows, 300, 1e-3);
  EXPECT_DOUBLE_EQ(reports[0].placements[0].traffic.active_flows, 14);
  for (int i = 7; i <= 20; ++i) reports = both(100 * i, false);
  EXPECT_NEAR(reports[0].placements[0].traffic.new_flows, 300, 1e-3) << "the other's last rate still counts";
  for (int i = 21; i <= 50; ++i) reports = both(100 * i, false);
  EXPECT_NEAR(reports[0].placements[0].traffic.new_flows, 100, 1e-3) << "until it was silent for too long";
}

TEST_F(LoadObservationTest, ConnectionsThatTheHostHasOpenAreTheActiveFlows) {
  std::vector<load::NodeReport> reports;
  for (int i = 0; i <= 6; ++i) {
    gateway("gw1", 100 * i, 50 + 0.1 * i, 1000, 0.4 + 0.01 * i);
    said_.back()[0].mutable_backends(0)->mutable_health()->mutable_load()->set_established(i == 0 ? 0 : 3);
    reports = observe(100 * i);
  }
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_NEAR(reports[0].placements[0].traffic.active_flows, 3, 1e-9);
}

TEST_F(LoadObservationTest, ARestartedDataplaneBeginsAnew) {
  gateway("gw1", 0, 50, 1000, 0.4);
  (void)observe(0);
  gateway("gw1", 100, 0.05, 2000, 0.5);
  EXPECT_TRUE(observe(100).empty()) << "2,000 flows in no time never happened";
  gateway("gw1", 300, 0.25, 2020, 0.6);
  const auto reports = observe(300);
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_NEAR(reports[0].placements[0].traffic.new_flows, 100, 1e-3);
}

TEST_F(LoadObservationTest, ACounterThatFallsIsNoNegativeRate) {
  gateway("gw1", 0, 50, 1000, 0.4);
  (void)observe(0);
  gateway("gw1", 100, 50.1, 10, 0.5);
  EXPECT_TRUE(observe(100).empty());
  gateway("gw1", 300, 50.3, 30, 0.6);
  EXPECT_NEAR(observe(300).at(0).placements[0].traffic.new_flows, 100, 1e-3);
}

TEST_F(LoadObservationTest, NothingMeasuredMeansNoReport) {
  gateway("gw1", 0, 50, 1000);
  (void)observe(0);
  gateway("gw1", 100, 50.1, 1010);
  EXPECT_TRUE(observe(100).empty());
  gateway("gw1", 200, 50.2, 1020, 0.5);
  EXPECT_NEAR(observe(200).at(0).placements[0].traffic.new_flows, 100, 1e-3);
}

TEST_F(LoadObservationTest, TheFresherSourceCounts) {
  proto::NodeStatus status;
  status.mutable_load()->mutable_cpu_utilization()->set_value(0.9);
  status.mutable_load()->mutable_cpu_utilization()->set_age_ms(500);
  status.mutable_load()->mutable_mem_utilization()->set_value(0.3);
  gateway("gw1", 0, 50, 1000, 0.4);
  (void)observe(5);
  agents_ = {{0, at_ms(190), &status}};
  gateway("gw1", 200, 50.2, 1010, 0.5);
  const auto reports = observe(200);
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
  EXPECT_DOUBLE_EQ(cpu(500), 0.8);
  web.mutable_telemetry()->mutable_cpu()->set_value(0.2);
  EXPECT_DOUBLE_EQ(cpu(1000), 0.6);
  (*status.mutable_labels())["cpu"] = "cgroup";
  EXPECT_DOUBLE_EQ(cpu(1500), 0.2);
}

TEST_F(LoadObservationTest, AnotherFleetKeepsTheCountersOfBackendsThatStay) {
  gateway("gw1", 0, 50, 1000, 0.4);
  (void)observe(0);
  observation_.follow({{{"api", "be1"}, {0, 0}}, {{"web", "be1"}, {1, 1}}}, 2);
  gateway("gw1", 200, 50.2, 1060, 0.5);
  const auto reports = observe(200);
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
