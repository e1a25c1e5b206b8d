// Health of services and maintenance of backends as REST takes them, and who hears of them.
#include <gtest/gtest.h>

#include "tests/unit/controlplane/api/whole.h"

namespace penstock {
namespace {

using nlohmann::json;

constexpr const char* kServices = "/api/v1/services";
constexpr const char* kItem = "/api/v1/services/web";
constexpr const char* kBackend = "/api/v1/services/web/backends/be1";

class HealthConfigTest : public WholeControlPlane {
 protected:
  void given_web(const std::string& more = "") {
    const RawAnswer made =
        call("POST", kServices, R"({"id":"web","vip":"203.0.113.10","protocol":"tcp","port":80,)" + more + R"(
        "backends":[{"id":"be1","address":"10.0.31.2"},{"id":"be2","address":"10.0.32.2"}]})");
    ASSERT_EQ(made.status, 201) << made.body;
  }
  json health() { return call("GET", kItem).json().value("health", json()); }
};

TEST_F(HealthConfigTest, HealthIsPutPatchedMemberByMemberAndShownWithoutDefaults) {
  given_web(R"("health":{"checks":[{"type":"http","path":"/healthz","method":"GET"}],"hold_ms":2000,
      "hot":{"queue_percent":70}},)");
  EXPECT_EQ(health(),
            json::parse(R"({"checks":[{"type":"http","path":"/healthz"}],"hot":{"queue_percent":70}})"));
  const std::string tag = call("GET", kItem).header("ETag");

  ASSERT_EQ(call("PATCH", kItem, R"({"health":{"hot":{"response_ms":20},"all_down":"reset"}})").status, 200);
  EXPECT_EQ(health(), json::parse(R"({"checks":[{"type":"http","path":"/healthz"}],"all_down":"reset",
      "hot":{"queue_percent":70,"response_ms":20}})"));
  EXPECT_EQ(call("PATCH", kItem, R"({"health":null})", "If-Match: " + tag + "\r\n").status, 412)
      << "another health is another configuration";
  ASSERT_EQ(call("PATCH", kItem, R"({"health":{"checks":null,"hot":null}})").status, 200);
  EXPECT_EQ(health(), json::parse(R"({"all_down":"reset"})"));
  ASSERT_EQ(call("PATCH", kItem, R"({"health":{"all_down":"use_all"}})").status, 200);
  EXPECT_EQ(health(), json()) << "nothing is left to say";
  ASSERT_EQ(call("PATCH", kItem, R"({"health":{"breaker":{"enabled":false}}})").status, 200);
  const RawAnswer read = call("GET", kItem);
  EXPECT_EQ(call("PUT", kItem, read.body).json(), read.json()) << "what GET shows can be put back";
  ASSERT_EQ(call("PATCH", kItem, R"({"health":null})").status, 200);
  EXPECT_EQ(call("GET", kItem).header("ETag"), call("PATCH", kItem, R"({"health":{}})").header("ETag"));
}

TEST_F(HealthConfigTest, ARefusalNamesTheFieldsOfHealth) {
  given_web();
  const json refused =
      call("PATCH", kItem,
           R"({"health":{"checks":[{"type":"tcp","interval_ms":100,"timeout_ms":200}],"rise":0}})")
          .json();
  ASSERT_EQ(refused["status"], 422);
  EXPECT_EQ(refused["errors"], json::parse(R"([
      {"field":"health.checks[0].timeout_ms","detail":"must be at most interval_ms"},
      {"field":"health.rise","detail":"must be 1–100"}])"));
  // What a service becomes is checked too, not only what is sent.
  ASSERT_EQ(call("PATCH", kItem, R"({"health":{"direct":"always"}})").status, 200);
  EXPECT_EQ(call("PATCH", kItem, R"({"protocol":"udp"})").json()["errors"][0]["field"], "health.direct");
  EXPECT_EQ(call("GET", kItem).json()["protocol"], "tcp");
}

TEST_F(HealthConfigTest, GatewaysHearOfHealthAndNodesOfTheirChecksOnly) {
  given_web();
  GatewayClient gw1(*streams_);
  ASSERT_TRUE(gw1.say(gateway_hello("gw1")));
  ASSERT_TRUE(gw1.hear());
  NodeClient node(*streams_);
  ASSERT_TRUE(node.say(node_hello("node1", "10.0.31.2")));
  EXPECT_EQ(node.hear()->services(0).checks_size(), 0);
  ASSERT_EQ(call("PATCH", kItem, R"({"health":{"all_down":"drop"}})").status, 200);
  EXPECT_EQ(gw1.hear()->config().services(0).health().all_down(), proto::ALL_DOWN_DROP);
  ASSERT_EQ(call("POST", std::string(kBackend) + "/maintenance").status, 200);
  EXPECT_TRUE(gw1.hear()->config().services(0).backends(0).maintenance());
  ASSERT_EQ(call("PATCH", kItem, R"({"health":{"checks":[{"type":"http"}]}})").status, 200);
  EXPECT_EQ(gw1.hear()->config().services(0).health().checks_size(), 1);
  const auto told = node.hear();
  EXPECT_EQ(told->generation(), 4u) << "what came between says nothing to a node";
  EXPECT_EQ(told->services(0).service(), "web");
  EXPECT_EQ(told->services(0).checks(0).kind(), proto::Check::HTTP);
}

TEST_F(HealthConfigTest, ABackendGoesIntoMaintenanceAndOutOfIt) {
  given_web();
  const std::string path = std::string(kBackend) + "/maintenance";
  const std::string tag = call("GET", kBackend).header("ETag");
  EXPECT_EQ(call("POST", path, "{}").status, 400);
  EXPECT_EQ(call("POST", "/api/v1/services/web/backends/be9/maintenance").status, 404);
  EXPECT_EQ(call("POST", "/api/v1/services/dns/backends/be1/maintenance").status, 404);
  EXPECT_EQ(call("GET", path).status, 405);
  const RawAnswer begun = call("POST", path, "", "If-Match: " + tag + "\r\n");
  EXPECT_EQ(begun.status, 200) << begun.body;
  EXPECT_EQ(begun.json(),
            json::parse(R"({"id":"be1","address":"10.0.31.2","weight":1,"drain":false,"maintenance":true})"));
  EXPECT_EQ(begun.header("Penstock-Generation"), "2");
  EXPECT_EQ(call("DELETE", path, "", "If-Match: " + tag + "\r\n").status, 412);
  EXPECT_EQ(call("POST", std::string(kBackend) + "/drain").json()["maintenance"], true) << "each for itself";
  EXPECT_EQ(call("POST", std::string(kBackend) + "/undrain").json()["maintenance"], true);
  const RawAnswer ended = call("DELETE", path);
  EXPECT_EQ(ended.status, 200);
  EXPECT_FALSE(ended.json().contains("maintenance"));
  EXPECT_EQ(ended.header("ETag"), tag);
  EXPECT_EQ(call("PATCH", kBackend, R"({"maintenance":true})").json()["maintenance"], true);
}

TEST_F(HealthConfigTest, ANodeInMaintenanceIsAllItsBackendsInOneGeneration) {
  given_web();
  ASSERT_EQ(call("POST", kServices, R"({"id":"dns","vip":"203.0.113.53","protocol":"udp","port":53,
      "backends":[{"id":"a","address":"10.0.31.2"},{"id":"b","address":"10.0.99.9"}]})")
                .status,
            201);
  const std::string path = "/api/v1/nodes/node1/maintenance";
  EXPECT_EQ(call("POST", path).status, 404) << "nobody knows its addresses";
  NodeClient node(*streams_);
  ASSERT_TRUE(node.say(node_hello("node1", "10.0.31.2")));
  ASSERT_TRUE(shows("/api/v1/nodes/node1", "/connected", true));
  EXPECT_EQ(call("POST", path, "{}").status, 400);
  const RawAnswer begun = call("POST", path);
  ASSERT_EQ(begun.status, 200) << begun.body;
  EXPECT_EQ(begun.header("Penstock-Generation"), "3");
  const json answer = begun.json();
  EXPECT_EQ(answer["node"], "node1");
  EXPECT_EQ(answer["generation"], 3);
  ASSERT_EQ(answer["backends"].size(), 2u);
  EXPECT_EQ(answer["backends"][0]["service"], "dns");
  EXPECT_EQ(answer["backends"][0]["maintenance"], true);
  EXPECT_EQ(answer["backends"][1]["id"], "be1");
  EXPECT_FALSE(call("GET", "/api/v1/services/web/backends/be2").json().contains("maintenance"));
  EXPECT_EQ(call("POST", path).json()["generation"], 3) << "nothing to do is no generation";
  EXPECT_EQ(call("DELETE", path).json()["generation"], 4);
  EXPECT_FALSE(call("GET", kBackend).json().contains("maintenance"));
}

TEST_F(HealthConfigTest, HealthAndMaintenanceOutliveTheProcess) {
  given_web(
      R"("health":{"checks":[{"type":"script","script":"db"},{"type":"http","headers":{"X-Role":"primary"}}],
      "slow_start":{"exponent":0.3}},)");
  ASSERT_EQ(call("POST", std::string(kBackend) + "/maintenance").status, 200);
  const json before = call("GET", kItem).json();
  restart();
  EXPECT_EQ(call("GET", kItem).json(), before);
}

}  // namespace
}  // namespace penstock
