// Policies as REST objects, and what services and backends say for the sake of their weights.
#include <gtest/gtest.h>

#include "tests/unit/controlplane/api/whole.h"

namespace penstock {
namespace {

using nlohmann::json;

constexpr const char* kPolicies = "/api/v1/policies";
constexpr const char* kThrifty = "/api/v1/policies/thrifty";
constexpr const char* kWeb = "/api/v1/services/web";

class PoliciesTest : public WholeControlPlane {
 protected:
  RawAnswer make_web(const std::string& id, const std::string& more, int port = 80) {
    return call("POST", "/api/v1/services",
                R"({"id":")" + id + R"(","vip":"203.0.113.10","protocol":"tcp","port":)" +
                    std::to_string(port) + "," + more +
                    R"("backends":[{"id":"be1","address":"10.0.31.2"}]})");
  }
};

TEST_F(PoliciesTest, BuiltInOnesAreShownAndCannotBeChanged) {
  const json list = call("GET", kPolicies).json();
  ASSERT_EQ(list["items"].size(), 5u);
  EXPECT_EQ(list["items"][0], json::parse(R"({"id":"static","kind":"static","built_in":true})"));
  EXPECT_EQ(call("GET", "/api/v1/policies/energy").json()["kind"], "energy");
  for (const char* method : {"PUT", "PATCH", "DELETE"}) {
    const json answer =
        call(method, "/api/v1/policies/energy", std::string(method) == "DELETE" ? "" : R"({"kind":"cost"})")
            .json();
    EXPECT_EQ(answer["status"], 409) << method;
    EXPECT_EQ(answer["detail"], "policy 'energy' is built in and cannot be changed: make one of another id");
  }
  EXPECT_EQ(call("POST", kPolicies, R"({"id":"static","kind":"cost"})").json()["errors"][0]["field"], "id");
  EXPECT_EQ(call("GET", "/api/v1/policies/custom").status, 404);
}

TEST_F(PoliciesTest, APolicyIsMadeReplacedPatchedAndDeleted) {
  const RawAnswer made = call("PUT", kThrifty, R"({"kind":"cost","max_share":0.5})");
  ASSERT_EQ(made.status, 201) << made.body;
  EXPECT_EQ(made.json(), json::parse(R"({"id":"thrifty","kind":"cost","max_share":0.5,"built_in":false})"));
  EXPECT_EQ(made.header("Penstock-Generation"), "1");
  const std::string tag = made.header("ETag");
  EXPECT_EQ(call("GET", kThrifty).header("ETag"), tag);
  EXPECT_EQ(call("GET", kThrifty, "", "If-None-Match: " + tag + "\r\n").status, 304);
  EXPECT_EQ(call("PUT", kThrifty, call("GET", kThrifty).body).json(), made.json())
      << "what GET shows can be put back";

  ASSERT_EQ(
      call("PATCH", kThrifty, R"({"kind":"custom","coefficients":{"money":2}})", "If-Match: " + tag + "\r\n")
          .status,
      200);
  EXPECT_EQ(call("PATCH", kThrifty, R"({"slew":1})", "If-Match: " + tag + "\r\n").status, 412);
  ASSERT_EQ(call("PATCH", kThrifty, R"({"coefficients":{"latency":1}})").status, 200);
  EXPECT_EQ(call("GET", kThrifty).json()["coefficients"],
            json::parse(R"({"balance":0.0,"latency":1.0,"money":2.0,"energy":0.0})"));
  EXPECT_EQ(call("POST", kPolicies, R"({"id":"thrifty","kind":"cost"})").status, 409);
  EXPECT_EQ(call("GET", kPolicies).json()["items"].size(), 6u);

  EXPECT_EQ(call("DELETE", kThrifty, "", "If-Match: " + tag + "\r\n").status, 412);
  EXPECT_EQ(call("DELETE", kThrifty).status, 204);
  EXPECT_EQ(call("GET", kThrifty).status, 404);
  EXPECT_EQ(call("DELETE", kThrifty).status, 404);
}

TEST_F(PoliciesTest, ARefusalNamesTheField) {
  const json answer =
      call("PUT", kThrifty, R"({"id":"other","kind":"cost","max_share":2,"colour":"red"})").json();
  EXPECT_EQ(answer["status"], 422);
  EXPECT_EQ(answer["errors"][0]["field"], "id");
  EXPECT_EQ(answer["errors"][1]["field"], "max_share");
  EXPECT_EQ(answer["errors"][2]["field"], "colour");
  EXPECT_EQ(call("PUT", kThrifty, R"({"kind":"cost","kind":"cost"})").status, 400);
  EXPECT_EQ(call("GET", kThrifty).status, 404);
}

TEST_F(PoliciesTest, AServiceNamesOneThatExistsAndThatThenStays) {
  EXPECT_EQ(make_web("web", R"("policy":"thrifty",)").json()["errors"],
            json::parse(R"([{"field":"policy","detail":"there is no policy 'thrifty'"}])"));
  ASSERT_EQ(call("PUT", kThrifty, R"({"kind":"cost"})").status, 201);
  ASSERT_EQ(make_web("web", R"("policy":"thrifty",)").status, 201);
  ASSERT_EQ(make_web("dns", R"("policy":"thrifty",)", 53).status, 201);
  const json refused = call("DELETE", kThrifty).json();
  EXPECT_EQ(refused["status"], 409);
  EXPECT_EQ(refused["detail"],
            "policy 'thrifty' is used by services 'dns', 'web': give them another one first");
  restart();
  EXPECT_EQ(call("GET", kWeb).json()["policy"], "thrifty");
  ASSERT_EQ(call("PATCH", kWeb, R"({"policy":"least-load"})").status, 200);
  ASSERT_EQ(call("PATCH", "/api/v1/services/dns", R"({"policy":null})").status, 200);
  EXPECT_FALSE(call("GET", "/api/v1/services/dns").json().contains("policy"));
  EXPECT_EQ(call("DELETE", kThrifty).status, 204);
}

TEST_F(PoliciesTest, WorkloadAffinityAndOverridesArePatchedAndTakenBack) {
  ASSERT_EQ(make_web("web", "").status, 201);
  ASSERT_EQ(call("PATCH", kWeb, R"({"workload":{"class":"batch","latency_objective_ms":20},
      "affinity":{"zone":"a","ipv4_prefix":24}})")
                .status,
            200);
  ASSERT_EQ(call("PATCH", kWeb, R"({"affinity":{"ipv4_prefix":null},"workload":{"class":null}})").status,
            200);
  EXPECT_EQ(call("GET", kWeb).json()["affinity"], json::parse(R"({"zone":"a"})"));
  EXPECT_EQ(call("GET", kWeb).json()["workload"], json::parse(R"({"latency_objective_ms":20.0})"));
  const std::string backend = std::string(kWeb) + "/backends/be1";
  EXPECT_EQ(call("PATCH", backend, R"({"weight_override":2000})").json()["errors"][0]["field"],
            "weight_override");
  ASSERT_EQ(call("PATCH", backend, R"({"weight_override":7})").status, 200);
  EXPECT_EQ(call("GET", backend).json()["weight_override"], 7);
  ASSERT_EQ(call("PATCH", backend, R"({"weight_override":null})").status, 200);
  EXPECT_FALSE(call("GET", backend).json().contains("weight_override"));
}

}  // namespace
}  // namespace penstock
