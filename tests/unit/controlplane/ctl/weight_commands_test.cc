// `policy`, `weights`, and what services and backends say of their weights, on the command line.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <sstream>

#include "controlplane/ctl/commands.h"
#include "fake_rest.h"

namespace penstock {
namespace {

using test::Answer;
using test::Asked;
using test::FakeRest;
using ::testing::HasSubstr;

class WeightCommandsTest : public ::testing::Test {
 protected:
  Commands& answering(FakeRest::Handler handler, bool json = false) {
    server_ = std::make_unique<FakeRest>(std::move(handler));
    commands_ =
        std::make_unique<Commands>(RestClient(*HttpClient::from_url(server_->url())), json, out_, out_);
    return *commands_;
  }
  std::string line(std::size_t n) const {
    return server_->asked()[n].method + " " + server_->asked()[n].target;
  }
  Json body(std::size_t n) const { return Json::parse(server_->asked()[n].body); }

  std::ostringstream out_;
  std::unique_ptr<FakeRest> server_;
  std::unique_ptr<Commands> commands_;
};

TEST_F(WeightCommandsTest, PoliciesAreATable) {
  const auto list = [](const Asked&) {
    return Answer{200, R"({"items":[{"id":"static","kind":"static","built_in":true},
        {"id":"thrifty","kind":"custom","built_in":false,"max_share":0.5,"budget_per_hour":12.5,"min_awake":2,
         "coefficients":{"balance":0.1,"latency":0,"money":2,"energy":0}}]})"};
  };
  ASSERT_TRUE(answering(list).policies(""));
  EXPECT_EQ(line(0), "GET /api/v1/policies");
  EXPECT_EQ(out_.str(),
            "POLICY   KIND    BUILT IN  COEFFICIENTS         SHARES  BUDGET/H  DEADBAND  SLEW/S  AWAKE\n"
            "static   static  yes       -                    -              -         -       -      -\n"
            "thrifty  custom  no        balance=0.1,money=2  0–0.5       12.5         -       -      2\n");
}

TEST_F(WeightCommandsTest, SetPolicySendsOnlyWhatIsGivenAndCreatesWhatIsMissing) {
  PolicyFlags flags;
  EXPECT_FALSE(answering([](const Asked&) { return Answer{}; }).set_policy("thrifty", flags));
  flags.kind = "custom";
  flags.money = 2;
  flags.min_awake = 3;
  ASSERT_TRUE(answering([](const Asked&) { return Answer{}; }).set_policy("thrifty", flags));
  EXPECT_EQ(line(0), "PATCH /api/v1/policies/thrifty");
  EXPECT_EQ(body(0), Json::parse(R"({"kind":"custom","coefficients":{"money":2.0},"min_awake":3})"));

  flags = {};
  flags.kind = "cost";
  ASSERT_TRUE(answering([](const Asked& asked) {
                return asked.method == "PATCH" ? Answer{404, "{}"} : Answer{201, asked.body};
              }).set_policy("thrifty", flags));
  EXPECT_EQ(body(0), Json::parse(R"({"kind":"cost","coefficients":null})"))
      << "a kind takes the coefficients back";
  EXPECT_EQ(line(1), "PUT /api/v1/policies/thrifty");
  EXPECT_EQ(body(1), Json::parse(R"({"kind":"cost"})"));
  EXPECT_THAT(out_.str(), HasSubstr("policy thrifty set\n"));
}

TEST_F(WeightCommandsTest, DeletePolicyPrintsWhoUsesIt) {
  const auto refused = answering([](const Asked&) {
                         return Answer{409, R"({"detail":"policy 'p' is used by service 'web'"})"};
                       }).remove("policy", "p");
  EXPECT_EQ(line(0), "DELETE /api/v1/policies/p");
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().text(), HasSubstr("used by service 'web'"));
}

const char* const kExplained =
    R"({"service":"web","policy":"latency","objective":{"balance":0.1,"latency":1.0},
    "law":{"delay_periods":1.5,"delay_seconds":0.15,"gain":0.15,"gain_bound":0.1859},
    "solver":{"value":0.61,"gap":0.0004,"feasible":true},
    "backends":[{"id":"be1","node":"n1","state":"active","weight":400,"configured_weight":1,"weight_override":null,
      "target_share":0.4,"measured_share":0.39,"binding":"utilization","dimension":"cpu_utilization",
      "utilization":{"cpu_utilization":0.61},"cost":{"cpu_utilization":0.00021},"cost_confidence":0.8,
      "latency":{"base_seconds":0.0012,"queue_seconds":0.0004,"confidence":0.5},"telemetry_age_seconds":0.12},
     {"id":"be2","weight":7,"weight_override":7,"state":"override"}]})";

TEST_F(WeightCommandsTest, ExplainShowsTheServiceAndEachBackend) {
  ASSERT_TRUE(answering([](const Asked&) { return Answer{200, kExplained}; }).explain_weights("web"));
  EXPECT_EQ(line(0), "GET /api/v1/services/web/weights%3Aexplain");
  EXPECT_THAT(out_.str(),
              HasSubstr("web      latency  balance=0.1,latency=1   1.50  0.1500  0.1859    0.61  0.040%\n"));
  EXPECT_THAT(out_.str(),
              HasSubstr("be1      active       400           1         -   40.0%     39.0%  utilization  "
                        "cpu_utilization 61.0%  0.00021 sure 80%  1.20+0.40u/(1-u) ms  0.1s\n"));
  EXPECT_THAT(out_.str(), HasSubstr("be2      override       7           -         7 "));
  out_.str("");
  ASSERT_TRUE(answering([](const Asked&) { return Answer{200, kExplained}; }, true).explain_weights("web"));
  EXPECT_EQ(Json::parse(out_.str()), Json::parse(kExplained));
}

TEST_F(WeightCommandsTest, HistoryAsksForATimeBeforeTheServersNow) {
  const auto some = [](const Asked&) {
    return Answer{200, R"({"service":"web","items":[{"time":1795860185.25,"backends":[
        {"id":"be1","weight":400,"target_share":0.4,"measured_share":null,"utilization":0.61}]}]})"};
  };
  ASSERT_TRUE(answering(some).weight_history("web", {"2h", 5}));
  EXPECT_EQ(line(0), "GET /api/v1/services/web/weights/history?from=-7200&limit=5");
  EXPECT_EQ(out_.str(),
            "TIME      BACKEND  WEIGHT  TARGET  MEASURED  UTILIZATION  AGE\n"
            "10:03:05  be1         400   40.0%         -        61.0%    -\n");
  const auto refused = answering(some).weight_history("web", {"yesterday", 5});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().text(), HasSubstr("--since"));
}

TEST_F(WeightCommandsTest, OddDocumentsAreNoError) {
  for (const char* text : {"{}", "[]", "null", R"({"items":[3],"backends":[null],"law":1})"}) {
    const Json document = Json::parse(text);
    EXPECT_FALSE(policies_table(document).empty());
    EXPECT_FALSE(explain_table(document).empty());
    EXPECT_FALSE(history_table(document).empty());
  }
}

TEST(WorkloadFlags, BecomeMembersOfTheService) {
  ServiceFlags flags;
  flags.affinity_ipv4 = 24;
  flags.workload.policy = "cost";
  flags.workload.work = "batch";
  flags.workload.priority = 2;
  flags.workload.latency_objective = "20ms";
  flags.workload.zone = "eu-1a";
  flags.workload.zone_strict = true;
  flags.workload.labels = {"disk=nvme", "rack="};
  EXPECT_EQ(*to_json(flags), Json::parse(R"({"policy":"cost",
      "workload":{"class":"batch","priority":2.0,"latency_objective_ms":20},
      "affinity":{"ipv4_prefix":24,"zone":"eu-1a","zone_strict":true,"labels":{"disk":"nvme","rack":null}}})"));
  flags = {};
  flags.workload.zone = "none";
  EXPECT_EQ(*to_json(flags), Json::parse(R"({"affinity":{"zone":null}})"));
  flags.workload.labels = {"nvme"};
  EXPECT_FALSE(to_json(flags));
  flags = {};
  flags.workload.latency_objective = "20";
  EXPECT_THAT(to_json(flags).error().text(), HasSubstr("--latency-objective"));
}

TEST(BackendFlags, AnOverrideIsANumberOrTakenBack) {
  BackendFlags flags;
  flags.weight_override = "0";
  EXPECT_EQ(*to_json(flags), Json::parse(R"({"weight_override":0})"));
  flags.weight_override = "none";
  EXPECT_EQ(*to_json(flags), Json::parse(R"({"weight_override":null})"));
  flags.weight_override = "much";
  EXPECT_THAT(to_json(flags).error().text(), HasSubstr("--weight-override"));
  EXPECT_EQ((*backend_from_text("id=a,address=10.0.0.1,weight_override=5"))["weight_override"], 5);
}

}  // namespace
}  // namespace penstock
