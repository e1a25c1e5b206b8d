#include "controlplane/ctl/top.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace penstock {
namespace {

using ::testing::HasSubstr;

TrafficSample sample(double seconds) {
  TrafficSample out;
  out.seconds = seconds;
  out.services = Json::parse(R"([{"id":"web","backends":[{"id":"be1","weight":1,"drain":false},
      {"id":"be2","weight":3,"drain":false},{"id":"be3","weight":5,"drain":true}]}])");
  out.gateways = Json::parse(R"([{"id":"gw1","connected":true,"announced_vips":["203.0.113.10"]},
                                 {"id":"gw2","connected":false}])");
  return out;
}

TEST(Top, RatesAreGrowthPerSecondOverAllGateways) {
  auto before = sample(10);
  auto after = sample(12);
  before.counters["web"]["be1"] = {{"gw1", {1000, 0, 10}}, {"gw2", {500, 0, 0}}};
  after.counters["web"]["be1"] = {{"gw1", {3000, 250'000, 30}}, {"gw2", {900, 0, 20}}};
  const auto rates = rates_between(before, after);
  ASSERT_EQ(rates.backends.size(), 3u);
  EXPECT_DOUBLE_EQ(rates.backends[0].packets_per_second, 1200);
  EXPECT_DOUBLE_EQ(rates.backends[0].new_flows_per_second, 20);
  EXPECT_DOUBLE_EQ(rates.backends[0].megabits_per_second, 1);
  ASSERT_EQ(rates.gateways.size(), 2u);
  EXPECT_DOUBLE_EQ(rates.gateways[0].packets_per_second, 1000);
  EXPECT_DOUBLE_EQ(rates.gateways[1].packets_per_second, 200);
  EXPECT_EQ(rates.gateways[0].announced_vips, 1u);
}

TEST(Top, WantedShareFollowsTheWeightsOfBackendsThatAreNotDrained) {
  const auto rates = rates_between(sample(0), sample(1));
  EXPECT_DOUBLE_EQ(rates.backends[0].wanted, 0.25);
  EXPECT_DOUBLE_EQ(rates.backends[1].wanted, 0.75);
  EXPECT_DOUBLE_EQ(rates.backends[2].wanted, 0);
  EXPECT_THAT(rates_table(rates), HasSubstr("drained"));
}

TEST(Top, ShareIsOfNewFlowsInTheIntervalAndUnknownWithoutAny) {
  auto before = sample(0);
  auto after = sample(1);
  EXPECT_EQ(rates_between(before, after).backends[0].share, -1);
  EXPECT_TRUE(rates_json(rates_between(before, after))["backends"][0]["share"].is_null());
  before.counters["web"] = {{"be1", {{"gw1", {0, 0, 900}}}}, {"be2", {{"gw1", {0, 0, 100}}}}};
  after.counters["web"] = {{"be1", {{"gw1", {0, 0, 910}}}}, {"be2", {{"gw1", {0, 0, 130}}}}};
  const auto rates = rates_between(before, after);
  EXPECT_DOUBLE_EQ(rates.backends[0].share, 0.25);
  EXPECT_DOUBLE_EQ(rates.backends[1].share, 0.75);
}

TEST(Top, LoadIsThatOfTheLastReadingAndNothingWhereNobodyMeasures) {
  auto after = sample(1);
  after.health["web"]["be1"] = Json::parse(
      R"({"verdict":"alive","admitted_percent":40,"load":{"response_p99_us":51000,"cpu_utilization":0.5}})");
  after.health["web"]["be2"] = Json::parse(R"({"verdict":"unknown","admitted_percent":null,"load":null})");
  const auto rates = rates_between(sample(0), after);
  EXPECT_DOUBLE_EQ(rates.backends[0].admitted, 0.4);
  EXPECT_DOUBLE_EQ(rates.backends[0].p99_us, 51'000);
  EXPECT_EQ(rates.backends[1].cpu, -1);
  EXPECT_EQ(rates.backends[2].verdict, "") << "an older server";
  EXPECT_THAT(rates_table(rates), HasSubstr("alive         40%  51.0ms  50%\n"));
  EXPECT_TRUE(rates_json(rates)["backends"][1]["cpu_utilization"].is_null());
  EXPECT_DOUBLE_EQ(rates_json(rates)["backends"][0]["cpu_utilization"], 0.5);
}

TEST(Top, RestartedGatewayCountsFromZeroAndANewOneNotItsPast) {
  auto before = sample(0);
  auto after = sample(1);
  before.counters["web"]["be1"] = {{"gw1", {1'000'000, 5000, 5000}}};
  after.counters["web"]["be1"] = {{"gw1", {40, 30, 4}}, {"gw2", {9'000'000, 9000, 9000}}};
  const auto rates = rates_between(before, after);
  EXPECT_DOUBLE_EQ(rates.backends[0].packets_per_second, 40);
  EXPECT_DOUBLE_EQ(rates.backends[0].new_flows_per_second, 4);
}

}  // namespace
}  // namespace penstock
