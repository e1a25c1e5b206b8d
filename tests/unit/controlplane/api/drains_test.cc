// Drains and upgrades through REST, and what gateways and nodes report of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ctime>

#include "controlplane/model/rfc3339.h"
#include "tests/unit/controlplane/api/whole.h"

namespace penstock {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr const char* kServices = "/api/v1/services";
constexpr const char* kBackend = "/api/v1/services/web/backends/be1";
constexpr const char* kGateway = "/api/v1/gateways/gw1";

class DrainsTest : public WholeControlPlane {
 protected:
  void given_web() {
    ASSERT_EQ(call("POST", kServices, R"({"id":"web","vip":"203.0.113.10","protocol":"tcp","port":80,
        "backends":[{"id":"be1","address":"10.0.31.2"},{"id":"be2","address":"10.0.32.2"}]})")
                  .status,
              201);
  }
  static std::uint64_t unix_now() { return static_cast<std::uint64_t>(std::time(nullptr)); }
};

TEST_F(DrainsTest, ABackendIsDrainedWithADeadlineAndItsPolicyReachesTheGateway) {
  given_web();
  GatewayClient gw1(*streams_);
  ASSERT_TRUE(gw1.say(gateway_hello("gw1")));
  ASSERT_TRUE(gw1.hear());
  const std::uint64_t before = unix_now();
  const json drained =
      call("POST", std::string(kBackend) + "/drain", R"({"deadline_seconds":600,"policy":"reset"})").json();
  EXPECT_EQ(drained["drain"], true);
  EXPECT_EQ(drained["drain_policy"], "reset");
  const auto deadline = unix_seconds_from_rfc3339(drained["drain_deadline"].get<std::string>());
  ASSERT_TRUE(deadline) << drained;
  EXPECT_GE(*deadline, before + 600);
  EXPECT_LE(*deadline, unix_now() + 601);
  EXPECT_EQ(gw1.hear()->config().services(0).backends(0).reset_after_unix_seconds(), *deadline);
  EXPECT_EQ(call("GET", kBackend).json(), drained);

  const json kept = call("POST", std::string(kBackend) + "/drain", R"({"deadline_seconds":600})").json();
  EXPECT_EQ(kept["drain_policy"], "keep");
  EXPECT_TRUE(kept.contains("drain_deadline"));
  EXPECT_EQ(gw1.hear()->config().services(0).backends(0).reset_after_unix_seconds(), 0u);

  EXPECT_EQ(call("POST", std::string(kBackend) + "/undrain").json(),
            json::parse(R"({"id":"be1","address":"10.0.31.2","weight":1,"drain":false})"));
}

TEST_F(DrainsTest, WhatADrainAsksForIsChecked) {
  given_web();
  const std::string path = std::string(kBackend) + "/drain";
  const auto field = [&](const std::string& body) {
    const RawAnswer answer = call("POST", path, body);
    EXPECT_EQ(answer.status, 422) << body;
    return answer.json()["errors"][0]["field"].get<std::string>();
  };
  EXPECT_EQ(field(R"({"policy":"kill","deadline_seconds":1})"), "policy");
  EXPECT_EQ(field(R"({"policy":"reset"})"), "deadline_seconds");
  EXPECT_EQ(field(R"({"deadline_seconds":-1})"), "deadline_seconds");
  EXPECT_EQ(field(R"({"deadline_seconds":31536001})"), "deadline_seconds");
  EXPECT_EQ(field(R"({"deadline":"10m"})"), "deadline");
  EXPECT_EQ(field("[]"), "");
  EXPECT_EQ(call("POST", path, "{").status, 400);
  EXPECT_EQ(call("POST", path, "{}", "Content-Type: text/plain\r\n").status, 415);
  EXPECT_EQ(call("GET", kBackend).json()["drain"], false);
  EXPECT_EQ(call("POST", path, R"({"policy":"reset","deadline_seconds":0})").status, 200) << "resets at once";
  EXPECT_EQ(call("PATCH", kBackend, R"({"drain":false})").json()["errors"][0]["field"], "drain_deadline");
  EXPECT_EQ(call("PATCH", kBackend, R"({"drain":false,"drain_deadline":null,"drain_policy":null})").status,
            200);
}

TEST_F(DrainsTest, ANodeIsDrainedWithAllItsBackendsInOneGeneration) {
  given_web();
  ASSERT_EQ(call("POST", kServices, R"({"id":"dns","vip":"203.0.113.53","protocol":"udp","port":53,
      "backends":[{"id":"a","address":"10.0.31.3"},{"id":"b","address":"10.0.99.9"}]})")
                .status,
            201);
  const std::string path = "/api/v1/nodes/node1";
  EXPECT_EQ(call("POST", path + "/drain").status, 404);
  NodeClient node(*streams_);
  proto::NodeReport hello = node_hello("node1", "10.0.31.2");
  hello.mutable_hello()->add_addresses("10.0.31.3");
  ASSERT_TRUE(node.say(hello));
  ASSERT_TRUE(shows(path, "/connected", true));
  EXPECT_EQ(call("POST", path + "/drain", R"({"policy":"reset"})").status, 422);

  const RawAnswer drained = call("POST", path + "/drain", R"({"deadline_seconds":60,"policy":"reset"})");
  ASSERT_EQ(drained.status, 200) << drained.body;
  EXPECT_EQ(drained.header("Penstock-Generation"), "3");
  const json answer = drained.json();
  EXPECT_EQ(answer["generation"], 3);
  ASSERT_EQ(answer["backends"].size(), 2u);
  EXPECT_EQ(answer["backends"][0]["service"], "dns");
  EXPECT_EQ(answer["backends"][0]["id"], "a");
  EXPECT_EQ(answer["backends"][1]["service"], "web");
  EXPECT_EQ(answer["backends"][1]["id"], "be1");
  EXPECT_EQ(call("GET", kBackend).json()["drain_policy"], "reset");
  EXPECT_EQ(call("GET", "/api/v1/services/web/backends/be2").json()["drain"], false);
  EXPECT_EQ(call("GET", "/api/v1/services/dns/backends/b").json()["drain"], false);

  EXPECT_EQ(call("POST", path + "/undrain", "{}").status, 400);
  EXPECT_EQ(call("POST", path + "/undrain").json()["generation"], 4);
  EXPECT_EQ(call("POST", path + "/undrain").json()["generation"], 4) << "nothing to do is no generation";
  EXPECT_EQ(call("GET", kBackend).json()["drain"], false);
}

TEST_F(DrainsTest, AGatewayDrainsWithinItsTimeAndKeepsItsPolicy) {
  ASSERT_EQ(call("PUT", kGateway, R"({"med":100,"vips":{"203.0.113.10":{"withhold":true}}})").status, 201);
  GatewayClient gw1(*streams_);
  ASSERT_TRUE(gw1.say(gateway_hello("gw1")));
  ASSERT_TRUE(gw1.hear()->announce());
  EXPECT_EQ(call("POST", std::string(kGateway) + "/drain", R"({"deadline_seconds":0})").status, 422);
  const json drained = call("POST", std::string(kGateway) + "/drain", R"({"deadline_seconds":45})").json();
  EXPECT_EQ(drained["announce"], false);
  EXPECT_EQ(drained["drain_timeout_seconds"], 45);
  const auto told = gw1.hear();
  EXPECT_FALSE(told->announce());
  EXPECT_EQ(told->drain_timeout_seconds(), 45u);
  EXPECT_EQ(told->policy().med(), 100u);
  EXPECT_TRUE(told->policy().vips(0).withhold());
  const json undrained = call("POST", std::string(kGateway) + "/undrain").json();
  EXPECT_EQ(undrained["announce"], true);
  EXPECT_FALSE(undrained.contains("drain_timeout_seconds"));
  EXPECT_EQ(undrained["med"], 100);
}

TEST_F(DrainsTest, APolicyIsPatchedVipByVip) {
  ASSERT_EQ(call("PUT", kGateway, R"({"announce":true})").status, 201);
  EXPECT_EQ(call("PATCH", kGateway, R"({"med":7,"bandwidth_mbps":10000,"bfd_profile":"normal",
      "vips":{"203.0.113.10":{"med":100},"2001:DB8::1":{"drain":true}}})")
                .status,
            200);
  const json patched = call("PATCH", kGateway, R"({"bfd_profile":null,"vips":{"203.0.113.10":{"drain":true},
      "2001:db8::1":null}})")
                           .json();
  EXPECT_EQ(patched["vips"], json::parse(R"({"203.0.113.10":{"med":100,"drain":true}})"));
  EXPECT_EQ(patched["med"], 7);
  EXPECT_EQ(patched["bandwidth_mbps"], 10000);
  EXPECT_FALSE(patched.contains("bfd_profile"));
  const RawAnswer refused = call("PATCH", kGateway, R"({"vips":{"203.0.113.10":{"med":65536}}})");
  EXPECT_EQ(refused.status, 422);
  EXPECT_EQ(refused.json()["errors"][0]["field"], "vips[203.0.113.10].med");
}

TEST_F(DrainsTest, EveryUpgradeHasAnIdOfItsOwnAndAPolicyDoesNotLoseIt) {
  const std::string path = std::string(kGateway) + "/upgrade";
  EXPECT_EQ(call("POST", path).status, 404);
  ASSERT_EQ(call("PUT", kGateway, R"({"announce":true})").status, 201);
  EXPECT_EQ(call("POST", path).status, 409) << "it is not connected";
  GatewayClient gw1(*streams_);
  ASSERT_TRUE(gw1.say(gateway_hello("gw1")));
  EXPECT_FALSE(gw1.hear()->has_upgrade());
  EXPECT_EQ(call("POST", path, R"({"drain_timeout_seconds":0})").status, 422);
  const RawAnswer asked = call("POST", path, R"({"drain_timeout_seconds":20})");
  EXPECT_EQ(asked.status, 202);
  EXPECT_EQ(asked.json()["upgrade_request"], json::parse(R"({"id":1,"drain_timeout_seconds":20})"));
  const auto told = gw1.hear();
  EXPECT_EQ(told->upgrade().id(), 1u);
  EXPECT_EQ(told->upgrade().drain_timeout_seconds(), 20u);

  proto::GatewayReport report;
  report.set_gateway("gw1");
  proto::GatewayUpgrade& upgrade = *report.mutable_status()->mutable_upgrade();
  upgrade.set_id(1);
  upgrade.set_phase(proto::GatewayUpgrade::RESTARTING);
  upgrade.set_elapsed_ms(1500);
  ASSERT_TRUE(gw1.say(report));
  ASSERT_TRUE(shows(kGateway, "/upgrade/phase", "restarting"));
  EXPECT_EQ(call("GET", kGateway).json()["upgrade"]["elapsed_seconds"], 1.5);
  const RawAnswer busy = call("POST", path);
  EXPECT_EQ(busy.status, 409);
  EXPECT_THAT(busy.body, HasSubstr("still at upgrade 1 (restarting)"));

  EXPECT_EQ(call("PUT", kGateway, R"({"med":5})").json()["upgrade_request"]["id"], 1);
  EXPECT_EQ(call("PUT", kGateway, R"({"upgrade_request":{"id":9}})").status, 422);
  upgrade.set_phase(proto::GatewayUpgrade::DONE);
  upgrade.set_id(6);
  ASSERT_TRUE(gw1.say(report));
  ASSERT_TRUE(shows(kGateway, "/upgrade/phase", "done"));
  EXPECT_EQ(call("POST", path).json()["upgrade_request"], json::parse(R"({"id":7})"))
      << "beyond what the gateway remembers";
}

TEST_F(DrainsTest, AControlPlaneThatRestartsTellsTheSameDrainsAndTheSameUpgrade) {
  given_web();
  proto::GatewayDirective before;
  {
    GatewayClient gw1(*streams_);
    ASSERT_TRUE(gw1.say(gateway_hello("gw1")));
    ASSERT_TRUE(gw1.hear());
    call("POST", std::string(kBackend) + "/drain", R"({"deadline_seconds":600,"policy":"reset"})");
    call("POST", std::string(kGateway) + "/drain", R"({"deadline_seconds":45})");
    ASSERT_EQ(call("POST", std::string(kGateway) + "/upgrade").status, 202);
    while (before.config().generation() != 4) before = *gw1.hear();
  }
  restart();
  GatewayClient again(*streams_);
  ASSERT_TRUE(again.say(gateway_hello("gw1")));
  EXPECT_EQ(again.hear()->ShortDebugString(), before.ShortDebugString());
}

TEST_F(DrainsTest, WhatAGatewayReportsOfItsTrafficIsShown) {
  GatewayClient gw1(*streams_);
  proto::GatewayReport report = gateway_hello("gw1");
  report.mutable_hello()->set_sync_address("10.0.1.1:6082");
  report.mutable_hello()->set_routing("frr");
  ASSERT_TRUE(gw1.say(report));
  report.Clear();
  report.set_gateway("gw1");
  proto::GatewayStatus& status = *report.mutable_status();
  status.mutable_drain()->set_phase(proto::GatewayDrain::DRAINING);
  status.mutable_drain()->set_packets_per_second(1200);
  status.mutable_drain()->set_flows(34);
  status.mutable_drain()->set_elapsed_ms(2500);
  status.set_routing_error("vtysh: no such profile");
  proto::AnnouncedVip& vip = *status.add_announcements();
  vip.set_vip("203.0.113.10");
  vip.set_med(100);
  vip.set_drained(true);
  proto::SyncStats& sync = *status.mutable_stats()->mutable_sync();
  sync.set_state(proto::SYNC_READY);
  sync.set_refused_replay(3);
  proto::SyncPeerStats& peer = *sync.add_peers();
  peer.set_gateway("gw2");
  peer.set_recovered_datagrams(5);
  peer.set_silent_ms(250);
  status.mutable_stats()->mutable_probes()->set_sent(900);
  status.mutable_stats()->mutable_probes()->set_refused_stranger(2);
  for (std::uint32_t lcore = 1; lcore <= 2; ++lcore) {
    proto::LcoreStats& stats = *status.mutable_stats()->add_lcores();
    stats.set_lcore(lcore);
    stats.set_second_chance(10 * lcore);
    stats.set_flow_table("taken over");
  }
  ASSERT_TRUE(gw1.say(report));
  ASSERT_TRUE(shows(kGateway, "/drain/phase", "draining"));
  const json shown = call("GET", kGateway).json();
  EXPECT_EQ(shown["routing"], "frr");
  EXPECT_EQ(shown["sync_address"], "10.0.1.1:6082");
  EXPECT_EQ(shown["routing_error"], "vtysh: no such profile");
  EXPECT_EQ(
      shown["drain"],
      json::parse(R"({"phase":"draining","packets_per_second":1200,"flows":34,"elapsed_seconds":2.5})"));
  EXPECT_EQ(shown["announcements"], json::parse(R"([{"vip":"203.0.113.10","med":100,"drained":true}])"));
  EXPECT_EQ(shown["upgrade"], json());
  EXPECT_EQ(shown["sync"]["state"], "ready");
  EXPECT_EQ(shown["sync"]["refused"]["replay"], 3);
  EXPECT_EQ(shown["sync"]["peers"][0]["recovered_datagrams"], 5);
  EXPECT_EQ(shown["probes"]["sent"], 900);
  EXPECT_EQ(shown["flows"]["second_chance_packets"], 30);
  EXPECT_EQ(shown["flows"]["flow_tables"], json::array({"taken over", "taken over"}));
  const std::string metrics = call("GET", "/metrics").body;
  for (const char* line :
       {"penstock_gateway_announced_med{gateway=\"gw1\",vip=\"203.0.113.10\",drained=\"true\"} 100\n",
        "penstock_gateway_routing_error{gateway=\"gw1\"} 1\n",
        "penstock_gateway_drain_phase{gateway=\"gw1\",phase=\"draining\"} 1\n",
        "penstock_gateway_drain_flows{gateway=\"gw1\"} 34\n",
        "penstock_gateway_upgrade_phase{gateway=\"gw1\",phase=\"none\"} 1\n",
        "penstock_probes_sent_total{gateway=\"gw1\"} 900\n",
        "penstock_probe_replies_refused_total{gateway=\"gw1\",reason=\"stranger\"} 2\n",
        "penstock_sync_ready{gateway=\"gw1\"} 1\n",
        "penstock_sync_refused_total{gateway=\"gw1\",reason=\"replay\"} 3\n",
        "penstock_sync_recovered_datagrams_total{gateway=\"gw1\",peer=\"gw2\"} 5\n",
        "penstock_sync_peer_silent_seconds{gateway=\"gw1\",peer=\"gw2\"} 0.250\n",
        "penstock_lcore_second_chance_packets_total{gateway=\"gw1\",lcore=\"2\"} 20\n"}) {
    EXPECT_THAT(metrics, HasSubstr(line));
  }
}

TEST_F(DrainsTest, FlowsLeftAndLivenessAreThoseOfTheGatewaysThatAreThere) {
  given_web();
  ASSERT_EQ(call("POST", std::string(kBackend) + "/drain").status, 200);
  const std::string path = "/api/v1/services/web/stats";
  GatewayClient gw1(*streams_);
  {
    GatewayClient gw2(*streams_);
    for (auto [client, id, liveness] :
         {std::tuple{&gw1, "gw1", proto::LIVENESS_DOWN}, std::tuple{&gw2, "gw2", proto::LIVENESS_UP}}) {
      ASSERT_TRUE(client->say(gateway_hello(id)));
      proto::GatewayReport report;
      report.set_gateway(id);
      report.mutable_status()->set_generation(2);
      auto* stats = report.mutable_status()->mutable_stats()->add_services();
      stats->set_service("web");
      auto* backend = stats->add_backends();
      backend->set_backend("be1");
      backend->set_flows(50);
      backend->set_packets(7);
      backend->set_liveness(liveness);
      ASSERT_TRUE(client->say(report));
    }
    ASSERT_TRUE(shows(path, "/backends/0/flows", 100));
    const json stats = call("GET", path).json();
    EXPECT_EQ(stats["backends"][0]["liveness"], json::parse(R"({"gw1":"down","gw2":"up"})"));
    EXPECT_EQ(stats["backends"][1]["liveness"], json::object());
    EXPECT_EQ(stats["gateways"][1]["backends"][0]["flows"], 50);
    EXPECT_EQ(stats["gateways"][1]["backends"][0]["liveness"], "up");
    EXPECT_EQ(stats["gateways"][1]["generation"], 2);
    const std::string metrics = call("GET", "/metrics").body;
    for (const char* line :
         {"penstock_backend_flows{service=\"web\",backend=\"be1\",gateway=\"gw2\"} 50\n",
          "penstock_drained_backend_flows{service=\"web\",backend=\"be1\",gateway=\"gw1\"} 50\n",
          "penstock_backend_up{service=\"web\",backend=\"be1\",gateway=\"gw1\"} 0\n"}) {
      EXPECT_THAT(metrics, HasSubstr(line));
    }
  }
  ASSERT_TRUE(shows(path, "/backends/0/flows", 50)) << "flows of a gateway that is gone are gone";
  EXPECT_EQ(call("GET", path).json()["backends"][0]["packets"], 14) << "what was counted stays counted";
}

TEST_F(DrainsTest, NodesShowWhatTheyPassedOnHopByHop) {
  NodeClient be1(*streams_);
  ASSERT_TRUE(be1.say(node_hello("be1", "10.0.31.2")));
  proto::NodeReport report;
  report.set_node("be1");
  proto::HopStats& hop = *report.mutable_status()->add_hops();
  hop.set_hop(1);
  hop.set_known(4);
  hop.set_passed_on(9);
  report.mutable_status()->mutable_probes()->set_answered(11);
  report.mutable_status()->mutable_probes()->set_refused_stale(2);
  ASSERT_TRUE(be1.say(report));
  ASSERT_TRUE(shows("/api/v1/nodes/be1", "/hops/0/passed_on", 9));
  const json node = call("GET", "/api/v1/nodes/be1").json();
  EXPECT_EQ(node["hops"], json::parse(R"([{"hop":1,"known":4,"begun":0,"last":0,"passed_on":9}])"));
  EXPECT_EQ(node["probes"]["refused"]["stale"], 2);
  const std::string metrics = call("GET", "/metrics").body;
  for (const char* line : {"penstock_node_hop_packets_total{node=\"be1\",hop=\"1\",what=\"passed_on\"} 9\n",
                           "penstock_node_probes_answered_total{node=\"be1\"} 11\n",
                           "penstock_node_probes_refused_total{node=\"be1\",reason=\"stale\"} 2\n"}) {
    EXPECT_THAT(metrics, HasSubstr(line));
  }
}

}  // namespace
}  // namespace penstock
