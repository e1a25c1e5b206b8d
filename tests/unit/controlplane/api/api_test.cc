// REST as a whole: documents, preconditions, backends, gateways, statistics.
#include "controlplane/api/api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "tests/unit/controlplane/api/whole.h"

namespace penstock {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr const char* kWeb = R"({"id":"web","vip":"203.0.113.10","protocol":"tcp","port":80,
  "backends":[{"id":"be1","address":"10.0.31.2"},{"id":"be2","address":"10.0.32.2"}]})";
constexpr const char* kServices = "/api/v1/services";
constexpr const char* kItem = "/api/v1/services/web";
constexpr const char* kBackend = "/api/v1/services/web/backends/be1";

class ApiTest : public WholeControlPlane {
 protected:
  void given_web() { ASSERT_EQ(call("POST", kServices, kWeb).status, 201); }
};

TEST_F(ApiTest, AServiceIsCreatedReadReplacedPatchedAndDeleted) {
  const RawAnswer created = call("POST", kServices, kWeb);
  EXPECT_EQ(created.status, 201);
  EXPECT_EQ(created.header("Location"), kItem);
  EXPECT_EQ(created.header("Penstock-Generation"), "1");
  EXPECT_EQ(created.json()["backends"][1]["weight"], 1);
  const RawAnswer read = call("GET", kItem);
  EXPECT_EQ(read.status, 200);
  EXPECT_EQ(read.header("ETag"), created.header("ETag"));
  EXPECT_EQ(read.json(), created.json());
  EXPECT_EQ(call("GET", kServices).json()["items"], json::array({read.json()}));

  json changed = read.json();
  changed["port"] = 8080;
  changed.erase("id");
  const RawAnswer replaced = call("PUT", kItem, changed.dump());
  EXPECT_EQ(replaced.status, 200);
  EXPECT_EQ(replaced.json()["port"], 8080);
  EXPECT_NE(replaced.header("ETag"), created.header("ETag"));
  const RawAnswer patched = call("PATCH", kItem, R"({"encap":"ipip","idle_timeouts":{"udp_seconds":5}})",
                                 "Content-Type: application/merge-patch+json; charset=utf-8\r\n");
  EXPECT_EQ(patched.status, 200) << patched.body;
  EXPECT_EQ(patched.json()["encap"], "ipip");
  EXPECT_EQ(patched.json()["port"], 8080);
  EXPECT_EQ(patched.json()["idle_timeouts"]["tcp_syn_seconds"], 10);
  const RawAnswer removed = call("DELETE", kItem);
  EXPECT_EQ(removed.status, 204);
  EXPECT_EQ(removed.header("Penstock-Generation"), "4");
  EXPECT_EQ(call("GET", kItem).status, 404);
  EXPECT_EQ(call("PUT", kItem, kWeb).status, 201);
}

constexpr const char* kQuic = R"({"id":"quic","vip":"203.0.113.0/24","protocol":"udp","port":"443-444",
  "quic":{"configs":[{"rotation":0,"server_id_length":1,"nonce_length":4,"key":"000102030405060708090a0b0c0d0e0f"}]},
  "backends":[{"id":"be1","address":"10.0.31.2","quic_server_id":"01"}]})";
constexpr const char* kQuicItem = "/api/v1/services/quic";

TEST_F(ApiTest, AQuicKeyGoesInButNeverOut) {
  const RawAnswer created = call("POST", kServices, kQuic);
  ASSERT_EQ(created.status, 201) << created.body;
  for (const char* path : {kServices, kQuicItem}) {
    EXPECT_EQ(call("GET", path).body.find("000102030405"), std::string::npos) << path;
  }
  const RawAnswer read = call("GET", kQuicItem);
  EXPECT_EQ(read.json()["vip"], "203.0.113.0/24");
  EXPECT_EQ(read.json()["port"], "443-444");
  const auto key = [&] { return desired_->now()->services.at("quic")->quic[0].key; };
  const auto before = key();

  EXPECT_EQ(call("PUT", kQuicItem, read.body).status, 200) << "what GET shows can be put back";
  EXPECT_EQ(key(), before);
  EXPECT_EQ(call("PUT", kServices, json{{"services", {read.json()}}}.dump()).status, 200);
  EXPECT_EQ(key(), before);
  EXPECT_EQ(call("PATCH", kQuicItem, R"({"port":443})").status, 200);
  EXPECT_EQ(key(), before);
  EXPECT_EQ(call("PUT", std::string(kQuicItem) + "/backends/be2",
                 R"({"address":"10.0.32.2","quic_server_id":"02"})")
                .status,
            201);
  EXPECT_EQ(key(), before);
  EXPECT_EQ(
      call("POST", std::string(kQuicItem) + "/backends", R"({"id":"be3","address":"10.0.33.2"})").status,
      409);

  json other = call("GET", kQuicItem).json();
  const std::string tag = call("GET", kQuicItem).header("ETag");
  other["quic"]["configs"][0]["key"] = "ff0102030405060708090a0b0c0d0e0f";
  const RawAnswer changed = call("PUT", kQuicItem, other.dump());
  EXPECT_EQ(changed.status, 200);
  EXPECT_NE(changed.header("ETag"), tag) << "another key is another configuration";
  EXPECT_NE(key(), before);
}

TEST_F(ApiTest, ARefusedDocumentNamesEveryFieldAndChangesNothing) {
  given_web();
  const RawAnswer refused =
      call("PATCH", kItem, R"({"port":0,"vpi":1,"backends":[{"id":"a","weight":1001}]})");
  EXPECT_EQ(refused.status, 422);
  EXPECT_EQ(refused.header("Content-Type"), "application/problem+json");
  std::vector<std::string> fields;
  const json problem = refused.json();
  for (const json& error : problem["errors"]) fields.push_back(error["field"]);
  EXPECT_EQ(fields, (std::vector<std::string>{"port", "backends[0].address", "backends[0].weight", "vpi"}));
  EXPECT_EQ(problem["status"], 422);

  const RawAnswer twice = call("POST", kServices, R"({"id":"a","port":1,"port":2})");
  EXPECT_EQ(twice.status, 400);
  EXPECT_EQ(twice.json()["errors"][0]["field"], "port");
  EXPECT_EQ(call("POST", kServices, "{").status, 400);
  EXPECT_EQ(call("POST", kServices, kWeb, "Content-Type: text/plain\r\n").status, 415);
  EXPECT_EQ(call("PATCH", kItem, "[]").status, 422);
  EXPECT_EQ(call("PATCH", kItem, R"({"id":"other"})").json()["errors"][0]["field"], "id");
  EXPECT_EQ(call("PATCH", kItem, R"({"backends":null})").json()["errors"][0]["detail"], "missing");
  EXPECT_EQ(call("PUT", "/api/v1/services/B%C3%A4d", R"({})").status, 422);
  EXPECT_EQ(call("GET", "/api/v1/services/%ff").status, 404);
  EXPECT_EQ(call("GET", "/api/v1/status").json()["generation"], 1);
}

TEST_F(ApiTest, WhatIsTakenIsAConflict) {
  given_web();
  EXPECT_EQ(call("POST", kServices, kWeb).status, 409);
  json same_key = json::parse(kWeb);
  same_key["id"] = "web2";
  const RawAnswer conflict = call("PUT", "/api/v1/services/web2", same_key.dump());
  EXPECT_EQ(conflict.status, 409);
  EXPECT_EQ(conflict.json()["errors"][0]["detail"], "tcp 203.0.113.10:80 already belongs to service 'web'");
}

TEST_F(ApiTest, PreconditionsAreKept) {
  given_web();
  const std::string tag = call("GET", kItem).header("ETag");
  const std::string old = R"("0000000000000000")";
  EXPECT_EQ(call("PATCH", kItem, R"({"port":81})", "If-Match: " + old + "\r\n").status, 412);
  EXPECT_EQ(call("PATCH", kItem, R"({"port":81})", "If-Match: " + old + ", " + tag + "\r\n").status, 200);
  EXPECT_EQ(call("PATCH", kItem, R"({"port":82})", "If-Match: " + tag + "\r\n").status, 412);
  EXPECT_EQ(call("DELETE", kItem, "", "If-Match: " + tag + "\r\n").status, 412);
  EXPECT_EQ(call("PUT", kItem, kWeb, "If-None-Match: *\r\n").status, 412);
  EXPECT_EQ(call("PUT", "/api/v1/services/none", kWeb, "If-Match: *\r\n").status, 412);
  EXPECT_EQ(call("PATCH", kBackend, R"({"weight":2})", "If-Match: " + old + "\r\n").status, 412);
  const std::string now = call("GET", kItem).header("ETag");
  const RawAnswer unchanged = call("GET", kItem, "", "If-None-Match: " + now + "\r\n");
  EXPECT_EQ(unchanged.status, 304);
  EXPECT_EQ(unchanged.body, "");
}

TEST_F(ApiTest, BackendsAreResourcesOfTheirOwn) {
  given_web();
  EXPECT_EQ(call("PATCH", kBackend, R"({"weight":3})").json(),
            json::parse(R"({"id":"be1","address":"10.0.31.2","weight":3,"drain":false})"));
  EXPECT_EQ(call("POST", std::string(kBackend) + "/drain").json()["drain"], true);
  EXPECT_EQ(call("GET", kItem).json()["backends"][0]["drain"], true);
  EXPECT_EQ(call("POST", std::string(kBackend) + "/undrain").json()["drain"], false);
  EXPECT_EQ(call("POST", std::string(kBackend) + "/undrain", "{}").status, 400);
  const std::string list = std::string(kItem) + "/backends";
  const RawAnswer added = call("POST", list, R"({"id":"be3","address":"10.0.33.2"})");
  EXPECT_EQ(added.status, 201);
  EXPECT_EQ(added.header("Location"), list + "/be3");
  EXPECT_EQ(call("POST", list, R"({"id":"be3","address":"10.0.34.2"})").status, 409);
  const RawAnswer taken = call("POST", list, R"({"id":"be4","address":"10.0.33.2"})");
  EXPECT_EQ(taken.status, 409);
  EXPECT_EQ(taken.json()["errors"][0]["field"], "address");
  EXPECT_EQ(call("GET", list).json()["items"].size(), 3u);
  EXPECT_EQ(call("PATCH", kBackend, R"({"weight":1001})").json()["errors"][0]["field"], "weight");
  EXPECT_EQ(call("DELETE", list + "/be3").status, 204);
  EXPECT_EQ(call("DELETE", list + "/be2").status, 204);
  EXPECT_EQ(call("DELETE", list + "/be1").status, 409) << "a service is never without a backend";
  EXPECT_EQ(call("GET", list + "/be9").status, 404);
  EXPECT_EQ(call("GET", "/api/v1/services/none/backends").status, 404);
  EXPECT_EQ(call("PUT", list + "/be5", R"({"address":"10.0.35.2"})").status, 201);
}

TEST_F(ApiTest, AWholeSetIsReplacedInOneGeneration) {
  given_web();
  const RawAnswer set = call("PUT", kServices,
                             R"({"services":[{"id":"dns","vip":"203.0.113.53","protocol":"udp","port":53,
                             "backends":[{"id":"a","address":"10.0.0.1"}]}]})");
  EXPECT_EQ(set.status, 200) << set.body;
  EXPECT_EQ(set.header("Penstock-Generation"), "2");
  EXPECT_EQ(set.json()["items"].size(), 1u);
  EXPECT_EQ(call("GET", kItem).status, 404);
  const RawAnswer refused = call("PUT", kServices, R"({"services":[{"id":"x"},{"id":"y","port":0}]})");
  EXPECT_EQ(refused.status, 422);
  EXPECT_THAT(refused.body, HasSubstr("services[1].port"));
  EXPECT_EQ(call("GET", "/api/v1/services/dns").status, 200);
}

TEST_F(ApiTest, MethodsAndPathsThatAreNotThere) {
  const RawAnswer wrong = call("DELETE", kServices);
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(wrong.header("Allow"), "GET, HEAD, POST, PUT");
  EXPECT_EQ(call("GET", "/api/v2/services").status, 404);
  EXPECT_EQ(call("GET", "/api/v1/services?x=1").status, 400);
  EXPECT_EQ(call("GET", "/healthz").body, "ok");
  const RawAnswer head = call("HEAD", "/api/v1/status");
  EXPECT_EQ(head.status, 200);
  EXPECT_NE(head.header("Content-Length"), "0");
}

TEST_F(ApiTest, AGatewayHasANewWeightSoonAfterThePatch) {
  given_web();
  GatewayClient gw1(*streams_);
  ASSERT_TRUE(gw1.say(gateway_hello("gw1")));
  ASSERT_EQ(gw1.hear()->config().generation(), 1u);
  const auto start = std::chrono::steady_clock::now();
  ASSERT_EQ(call("PATCH", kBackend, R"({"weight":7})").header("Penstock-Generation"), "2");
  const auto directive = gw1.hear();
  const auto took = std::chrono::steady_clock::now() - start;
  ASSERT_TRUE(directive);
  EXPECT_EQ(directive->config().services(0).backends(0).weight(), 7u);
  EXPECT_LT(took, std::chrono::seconds(1));
  RecordProperty("microseconds", std::to_string(took / std::chrono::microseconds(1)));
}

TEST_F(ApiTest, AGatewayIsShownDrainedAndForgotten) {
  const std::string path = "/api/v1/gateways/gw1";
  EXPECT_EQ(call("GET", path).status, 404);
  EXPECT_EQ(call("POST", path + "/drain").status, 404);
  EXPECT_EQ(call("PUT", path, R"({"announce":true})").status, 201);
  EXPECT_EQ(call("GET", path).json()["connected"], false);
  EXPECT_EQ(call("GET", path).json()["last_seen_seconds_ago"], json());
  {
    GatewayClient gw1(*streams_);
    ASSERT_TRUE(gw1.say(gateway_hello("gw1")));
    ASSERT_TRUE(gw1.hear()->announce());
    proto::GatewayReport report;
    report.set_gateway("gw1");
    report.mutable_status()->set_dataplane_alive(true);
    report.mutable_status()->set_generation(1);
    report.mutable_status()->add_announced_vips("203.0.113.10");
    ASSERT_TRUE(gw1.say(report));
    ASSERT_TRUE(shows(path, "/announced_vips", json::array({"203.0.113.10"})));
    report.mutable_applied()->add_refusals()->set_field("services[0].vip");
    ASSERT_TRUE(gw1.say(report));
    ASSERT_TRUE(shows(path, "/refusals/0/field", "services[0].vip"));
    const json shown = call("GET", "/api/v1/gateways").json()["items"][0];
    EXPECT_EQ(shown["version"], "0.1.0");
    EXPECT_EQ(shown["dataplane_alive"], true);
    EXPECT_EQ(call("POST", path + "/drain").json()["announce"], false);
    EXPECT_FALSE(gw1.hear()->announce());
    EXPECT_EQ(call("PATCH", path, R"({"announce":"no"})").status, 422);
    EXPECT_EQ(call("DELETE", path).status, 409) << "it is connected";
  }
  ASSERT_TRUE(shows(path, "/connected", false));
  EXPECT_EQ(call("DELETE", path).status, 204);
  EXPECT_EQ(call("GET", path).status, 404);
}

TEST_F(ApiTest, StatsAreSummedOverTheGateways) {
  given_web();
  GatewayClient gw1(*streams_);
  GatewayClient gw2(*streams_);
  for (auto [client, id, flows] : {std::tuple{&gw1, "gw1", 10}, std::tuple{&gw2, "gw2", 20}}) {
    ASSERT_TRUE(client->say(gateway_hello(id)));
    proto::GatewayReport report;
    report.set_gateway(id);
    auto* stats = report.mutable_status()->mutable_stats()->add_services();
    stats->set_service("web");
    stats->add_outcomes()->set_outcome("forwarded");
    for (const char* backend : {"be1", "be2"}) {
      auto* counted = stats->add_backends();
      counted->set_backend(backend);
      counted->set_packets(100);
      counted->set_new_flows(backend == std::string("be1") ? 10 : static_cast<std::uint64_t>(flows));
    }
    ASSERT_TRUE(client->say(report));
  }
  const std::string path = std::string(kItem) + "/stats";
  ASSERT_TRUE(shows(path, "/backends/1/new_flows", 30));
  const json stats = call("GET", path).json();
  EXPECT_EQ(stats["service"], "web");
  EXPECT_EQ(stats["backends"][0]["packets"], 200);
  EXPECT_DOUBLE_EQ(stats["backends"][0]["share"], 0.4);
  EXPECT_DOUBLE_EQ(stats["backends"][1]["share"], 0.6);
  EXPECT_EQ(stats["gateways"].size(), 2u);
  EXPECT_EQ(stats["gateways"][0]["outcomes"], (json{{"forwarded", 0}}));
  EXPECT_THAT(
      call("GET", "/metrics").body,
      HasSubstr("penstock_service_new_flows_total{service=\"web\",backend=\"be2\",gateway=\"gw2\"} 20\n"));
  EXPECT_EQ(call("GET", "/api/v1/status").json()["gateways_connected"], 2);
}

TEST_F(ApiTest, StatsTellTheWeightThatAGatewaySpokeOfLast) {
  given_web();
  GatewayClient gw1(*streams_);
  ASSERT_TRUE(gw1.say(gateway_hello("gw1")));
  proto::GatewayReport status;
  status.set_gateway("gw1");
  auto* stats = status.mutable_status()->mutable_stats()->add_services();
  stats->set_service("web");
  stats->add_backends()->set_backend("be1");
  stats->mutable_backends(0)->set_weight(100);
  stats->add_backends()->set_backend("be2");
  ASSERT_TRUE(gw1.say(status));
  const std::string path = std::string(kItem) + "/stats";
  ASSERT_TRUE(shows(path, "/gateways/0/backends/0/weight", 100));
  EXPECT_EQ(call("GET", path).json()["gateways"][0]["backends"][1]["weight"], json()) << "it said nothing";
  proto::GatewayReport loads;
  loads.set_gateway("gw1");
  auto* moved = loads.mutable_loads()->add_services();
  moved->set_service("web");
  moved->add_backends()->set_backend("be1");
  moved->mutable_backends(0)->set_weight(250);
  ASSERT_TRUE(gw1.say(loads));
  ASSERT_TRUE(shows(path, "/gateways/0/backends/0/weight", 250));
  ASSERT_TRUE(gw1.say(status));
  EXPECT_TRUE(shows(path, "/gateways/0/backends/0/weight", 100)) << "the status is younger";
}

TEST_F(ApiTest, MetricsTellWhatEachLcoreHoldsAndWhatBecameOfItsPackets) {
  GatewayClient gw1(*streams_);
  ASSERT_TRUE(gw1.say(gateway_hello("gw1")));
  proto::GatewayReport report;
  report.set_gateway("gw1");
  auto* stats = report.mutable_status()->mutable_stats();
  auto* outcome = stats->add_outcomes();
  outcome->set_outcome("dropped_fragment");
  outcome->set_packets(3);
  auto* lcore = stats->add_lcores();
  lcore->set_lcore(1);
  lcore->set_flows(17);
  lcore->set_fragments_lost(5);
  ASSERT_TRUE(gw1.say(report));
  ASSERT_TRUE(shows("/api/v1/gateways/gw1", "/connected", true));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  std::string text;
  do {
    text = call("GET", "/metrics").body;
  } while (text.find("penstock_lcore_flows{") == std::string::npos &&
           std::chrono::steady_clock::now() < deadline);
  EXPECT_THAT(text, HasSubstr("penstock_lcore_flows{gateway=\"gw1\",lcore=\"1\"} 17\n"));
  EXPECT_THAT(text, HasSubstr("penstock_lcore_fragments_lost_total{gateway=\"gw1\",lcore=\"1\"} 5\n"));
  EXPECT_THAT(text,
              HasSubstr("penstock_gateway_outcomes_total{gateway=\"gw1\",outcome=\"dropped_fragment\"} 3\n"));
}

TEST_F(ApiTest, NodesAreShown) {
  NodeClient be1(*streams_);
  ASSERT_TRUE(be1.say(node_hello("be1", "10.0.31.2")));
  proto::NodeReport report;
  report.set_node("be1");
  report.mutable_status()->add_errors("eth0: no XDP");
  report.mutable_status()->add_interfaces()->set_name("eth0");
  ASSERT_TRUE(be1.say(report));
  ASSERT_TRUE(shows("/api/v1/nodes/be1", "/errors/0", "eth0: no XDP"));
  const json node = call("GET", "/api/v1/nodes").json()["items"][0];
  EXPECT_EQ(node["addresses"], json::array({"10.0.31.2"}));
  EXPECT_EQ(node["connected"], true);
  EXPECT_EQ(call("GET", "/api/v1/nodes/none").status, 404);
}

}  // namespace
}  // namespace penstock
