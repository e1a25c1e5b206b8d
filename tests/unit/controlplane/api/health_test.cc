// REST and metrics of health: the fleet's verdicts beside what each gateway and node said.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "tests/unit/controlplane/api/whole.h"

namespace penstock {
namespace {

using nlohmann::json;
using proto::BackendHealth;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kWeb = R"({"id":"web","vip":"203.0.113.10","protocol":"tcp","port":80,
  "backends":[{"id":"be1","address":"10.0.31.2"},{"id":"be2","address":"10.0.32.2","maintenance":true}]})";
constexpr const char* kHealth = "/api/v1/services/web/health";

proto::GatewayReport gateway_report() {
  proto::GatewayReport report;
  report.set_gateway("gw1");
  report.mutable_status()->set_dataplane_alive(true);
  proto::ServiceStats& web = *report.mutable_status()->mutable_stats()->add_services();
  web.set_service("web");
  web.set_all_down(true);
  proto::BackendStats& be1 = *web.add_backends();
  be1.set_backend("be1");
  be1.set_liveness(proto::LIVENESS_DOWN);
  BackendHealth& health = *be1.mutable_health();
  health.set_reason(BackendHealth::CHECK_FAILING);
  health.set_since_ms(1500);
  health.set_breaker(proto::BREAKER_HALF_OPEN);
  health.set_breaker_cause("resets");
  health.set_trips(2);
  health.set_falls(3);
  health.set_late(true);
  health.set_admitted_percent(5);
  health.set_probe_rtt_us(120);
  health.set_probe_loss_percent(10);
  health.mutable_load()->set_age_ms(40);
  health.mutable_load()->set_response_p99_us(51'000);
  health.mutable_load()->set_cpu_utilization(0.75);
  proto::BackendStats& be2 = *web.add_backends();
  be2.set_backend("be2");
  be2.set_liveness(proto::LIVENESS_UP);
  be2.mutable_health()->set_admitted_percent(100);
  return report;
}

proto::NodeReport node_report() {
  proto::NodeReport report;
  report.set_node("n1");
  proto::NodeStatus& status = *report.mutable_status();
  status.mutable_load()->mutable_cpu_utilization()->set_value(0.25);
  status.mutable_load()->mutable_cpu_utilization()->set_age_ms(30);
  (*status.mutable_load()->mutable_named_metrics())["queue"].set_value(7);
  (*status.mutable_labels())["zone"] = "a";
  proto::NodeServiceStats& web = *status.add_services();
  web.set_service("web");
  web.set_vip("203.0.113.10");
  web.set_protocol(proto::TCP);
  web.set_port(80);
  web.mutable_telemetry()->set_requests(1234);
  web.mutable_telemetry()->mutable_response_p99_us()->set_value(51'000);
  proto::CheckStatus& check = *web.add_checks();
  check.set_name("http");
  check.set_state(proto::CheckStatus::FAILING);
  check.set_detail("status 503, not 200-299");
  check.set_runs(9);
  return report;
}

/// Says the same every half second, as a report of three seconds ago is no vote any more.
template <class Client, class Report>
class Talker {
 public:
  Talker(Client& client, Report report)
      : thread_([this, &client, report = std::move(report)] {
          std::unique_lock lock(mutex_);
          while (!stopping_ && client.say(report)) {
            wake_.wait_for(lock, std::chrono::milliseconds(500), [this] { return stopping_; });
          }
        }) {}
  ~Talker() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

class HealthTest : public WholeControlPlane {
 protected:
  /// A gateway and a node have said what they know of the service, and it was judged.
  void given_reports() {
    ASSERT_EQ(call("POST", "/api/v1/services", kWeb).status, 201);
    gw1_ = std::make_unique<GatewayClient>(*streams_);
    n1_ = std::make_unique<NodeClient>(*streams_);
    ASSERT_TRUE(gw1_->say(gateway_hello("gw1")));
    ASSERT_TRUE(n1_->say(node_hello("n1", "10.0.31.2")));
    gateway_talks_.emplace(*gw1_, gateway_report());
    node_talks_.emplace(*n1_, node_report());
    ASSERT_TRUE(shows(kHealth, "/backends/0/verdict", "dead"));
    ASSERT_TRUE(shows(kHealth, "/backends/0/checks/0/name", "http"));
    ASSERT_TRUE(shows("/api/v1/nodes/n1", "/heard_by/heard", 1));
  }

  std::unique_ptr<GatewayClient> gw1_;
  std::unique_ptr<NodeClient> n1_;
  std::optional<Talker<GatewayClient, proto::GatewayReport>> gateway_talks_;
  std::optional<Talker<NodeClient, proto::NodeReport>> node_talks_;
};

TEST_F(HealthTest, WithoutReportsEverythingIsUnknownAndNothingIsZero) {
  ASSERT_EQ(call("POST", "/api/v1/services", kWeb).status, 201);
  const json be1 = call("GET", kHealth).json()["backends"][0];
  EXPECT_EQ(be1["verdict"], "unknown");
  for (const char* unsaid : {"reason", "since_seconds_ago", "breaker", "admitted_percent", "load", "node"}) {
    EXPECT_TRUE(be1.contains(unsaid) && be1[unsaid].is_null()) << unsaid;
  }
  EXPECT_EQ(be1["gateways"], json::array());
  EXPECT_EQ(call("GET", "/api/v1/services/none/health").status, 404);
  EXPECT_THAT(call("GET", "/metrics").body, Not(HasSubstr("\npenstock_backend_health{")));
}

TEST_F(HealthTest, ABackendsDocumentSaysWhatTheFleetAndEachGatewayMakeOfIt) {
  given_reports();
  const json document = call("GET", kHealth).json();
  EXPECT_EQ(document["all_down"], json::array({"gw1"}));
  EXPECT_EQ(document["gateways"],
            json::array({{{"gateway", "gw1"}, {"connected", true}, {"all_down", true}}}));
  const json& be1 = document["backends"][0];
  EXPECT_EQ(be1["reason"], "check_failing");
  EXPECT_EQ(be1["votes"]["down"], 1);
  EXPECT_EQ(be1["breaker"], "half_open");
  EXPECT_EQ(be1["hot"], json::array({"late"}));
  EXPECT_EQ(be1["admitted_percent"], 5);
  EXPECT_EQ(be1["load"]["response_p99_us"], 51'000);
  EXPECT_FALSE(be1["load"].contains("established")) << "not measured";
  EXPECT_EQ(be1["node"]["id"], "n1");
  EXPECT_EQ(be1["node"]["state"], "up");
  EXPECT_EQ(be1["checks"][0]["detail"], "status 503, not 200-299");
  const json& gw1 = be1["gateways"][0];
  EXPECT_EQ(gw1["gateway"], "gw1");
  EXPECT_EQ(gw1["liveness"], "down");
  EXPECT_EQ(gw1["since_seconds"], 1.5);
  EXPECT_EQ(gw1["breaker"], (json{{"state", "half_open"}, {"cause", "resets"}, {"trips", 2}}));
  EXPECT_EQ(gw1["probe_loss_percent"], 10);
  EXPECT_GE(gw1["load"]["age_ms"], 40) << "an age counts from now";
  const json& be2 = document["backends"][1];
  EXPECT_EQ(be2["verdict"], "alive");
  EXPECT_EQ(be2["maintenance"], true);
  EXPECT_TRUE(be2["load"].is_null());
  EXPECT_TRUE(be2["gateways"][0]["probe_rtt_us"].is_null());
}

TEST_F(HealthTest, TheOverviewHasAllServicesInShortAndWhatChanged) {
  given_reports();
  const json document = call("GET", "/api/v1/health").json();
  EXPECT_EQ(document["services"][0], (json{{"service", "web"},
                                           {"backends", 2},
                                           {"alive", 1},
                                           {"dead", 1},
                                           {"maintenance", 1},
                                           {"all_down", {"gw1"}}}));
  EXPECT_EQ(document["nodes"]["up"], 1);
  EXPECT_EQ(document["nodes_not_up"], json::array());
  EXPECT_EQ(document["gateways_with_a_vote"], 1);
  const json& event = document["events"][0];
  EXPECT_EQ(event["object"], "web/be1");
  EXPECT_EQ(event["to"], "dead");
  EXPECT_EQ(event["reason"], "check_failing");
}

TEST_F(HealthTest, ANodesDocumentHasStateLoadTelemetryChecksAndLabels) {
  given_reports();
  const json node = call("GET", "/api/v1/nodes/n1").json();
  EXPECT_EQ(node["state"], "up");
  EXPECT_EQ(node["agent"], "talks");
  EXPECT_EQ(node["load"]["cpu_utilization"]["value"], 0.25);
  EXPECT_GE(node["load"]["cpu_utilization"]["age_ms"], 30);
  EXPECT_FALSE(node["load"].contains("mem_utilization")) << "not measured";
  EXPECT_EQ(node["load"]["named_metrics"]["queue"]["value"], 7.0);
  EXPECT_EQ(node["labels"], (json{{"zone", "a"}}));
  const json& web = node["services"][0];
  EXPECT_EQ(web["service"], "web");
  EXPECT_EQ(web["telemetry"]["requests"], 1234);
  EXPECT_EQ(web["telemetry"]["response_p99_us"]["value"], 51'000.0);
  EXPECT_FALSE(web["telemetry"].contains("srtt_us"));
  EXPECT_EQ(web["checks"][0]["state"], "failing");
  EXPECT_EQ(call("GET", "/api/v1/nodes").json()["items"][0]["state"], "up");
}

TEST_F(HealthTest, TheStatisticsOfAServiceHaveVerdictAndLoadForWhoWatchesRates) {
  given_reports();
  const json be1 = call("GET", "/api/v1/services/web/stats").json()["backends"][0];
  EXPECT_EQ(be1["verdict"], "dead");
  EXPECT_EQ(be1["load"]["cpu_utilization"], 0.75);
  EXPECT_EQ(be1["admitted_percent"], 5);
}

TEST_F(HealthTest, MetricsHaveSamplesOfWhatWasMeasuredAndOfNothingElse) {
  given_reports();
  const std::string text = call("GET", "/metrics").body;
  for (const char* sample : {
           "\npenstock_backend_health{service=\"web\",backend=\"be1\"} 0\n",
           "\npenstock_backend_health{service=\"web\",backend=\"be2\"} 1\n",
           "\npenstock_service_all_down{service=\"web\",gateway=\"gw1\"} 1\n",
           "\npenstock_backend_breaker_state{service=\"web\",backend=\"be1\",gateway=\"gw1\"} 2\n",
           "\npenstock_backend_admitted_ratio{service=\"web\",backend=\"be1\",gateway=\"gw1\"} 0.05\n",
           "\npenstock_backend_hot{service=\"web\",backend=\"be1\",gateway=\"gw1\",kind=\"late\"} 1\n",
           "\npenstock_backend_hot{service=\"web\",backend=\"be1\",gateway=\"gw1\",kind=\"busy\"} 0\n",
           "\npenstock_backend_probe_rtt_seconds{service=\"web\",backend=\"be1\",gateway=\"gw1\"} 0.00012\n",
           "\npenstock_node_state{node=\"n1\",state=\"up\"} 1\n",
           "\npenstock_node_cpu_utilization_ratio{node=\"n1\"} 0.25\n",
           "\npenstock_node_named_metric{node=\"n1\",name=\"queue\"} 7\n",
           "\npenstock_service_telemetry_requests_total{service=\"web\",node=\"n1\"} 1234\n",
           "\npenstock_service_telemetry_response_seconds{service=\"web\",node=\"n1\",quantile=\"0.99\"} "
           "0.051\n",
           "\npenstock_check_passing{service=\"web\",node=\"n1\",check=\"http\"} 0\n",
       }) {
    EXPECT_THAT(text, HasSubstr(sample));
  }
  for (const char* unmeasured : {
           "\npenstock_backend_probe_rtt_seconds{service=\"web\",backend=\"be2\"",
           "\npenstock_node_mem_utilization_ratio{",
           "\npenstock_service_telemetry_srtt_seconds{",
           "\npenstock_service_telemetry_response_seconds{service=\"web\",node=\"n1\",quantile=\"0.5\"}",
       }) {
    EXPECT_THAT(text, Not(HasSubstr(unmeasured)));
  }
}

}  // namespace
}  // namespace penstock
