// Why backends have their weights, over REST and in metrics, from what the weight loop shows.
#include "controlplane/api/weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "controlplane/api/weight_document.h"
#include "controlplane/api/weight_metrics.h"
#include "controlplane/model/service_document.h"
#include "penstock/base/clock.h"
#include "tests/unit/controlplane/api/whole.h"

namespace penstock {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

Service web() {
  Service service;
  service.id = "web";
  service.key = {*IpAddr::parse("203.0.113.10"), kProtoTcp, 80};
  service.policy = "latency";
  service.backends = {Backend{"be1", *IpAddr::parse("10.0.31.2"), 1},
                      Backend{"be2", *IpAddr::parse("10.0.32.2"), 3},
                      Backend{"be3", *IpAddr::parse("10.0.33.2"), 2}};
  service.backends[1].weight_override = 7;
  service.backends[2].drain = true;
  return service;
}

/// be2 and be1, in this order, are planned for; be3 is newer than the plan.
std::shared_ptr<WeightSnapshot> planned() {
  auto fleet = std::make_shared<load::PlannerFleet>();
  fleet->services.resize(1);
  fleet->services[0].id = "web";
  fleet->services[0].objective = {.balance = 0.1, .latency = 1};
  fleet->backends.resize(2);
  fleet->backends[0].id = "be2";
  fleet->backends[1].id = "be1";
  auto out = std::make_shared<WeightSnapshot>();
  out->fleet = fleet;
  out->planned_at = monotonic_now();
  out->unix_ms = static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                                std::chrono::system_clock::now().time_since_epoch())
                                                .count());
  out->version = 12;
  out->gateways = 2;
  out->in_force = 1;
  out->plan.objective_value = 0.61;
  out->plan.gap = 0.0004;
  out->plan.parked = 1;
  out->step_seconds = 0.003;
  load::ServicePlan service;
  service.backends = {0, 1};
  service.weights = {7, 400};
  service.delay_periods = 1.5;
  service.gain = 0.15;
  service.workload = load::WorkloadClass::kBatch;
  service.workload_learned = false;
  service.workload_confidence = 0.25;
  service.gain_bound = 0.1859;
  out->plan.services = {service};
  out->plan.explanations.resize(2);
  out->plan.explanations[0].weight = 7;
  out->plan.explanations[0].state = load::WeightState::kOverridden;
  load::Explanation& e = out->plan.explanations[1];
  e.weight = 400;
  e.target_share = 0.4;
  e.binding = load::Binding::kUtilization;
  e.dimension = load::Dimension::kDisk;
  e.utilization = 0.61;
  e.cost.per_flow_rate[0] = 0.00021;
  e.cost.confidence = 0.8;
  e.latency = {0.0012, 0.0004, 0.5};
  e.telemetry_age = 0.12;
  e.state = load::WeightState::kFollowing;
  return out;
}

TEST(WeightDocument, SaysForEachBackendWhatDecidedItsWeight) {
  const json out = explain_weights(web(), *built_in_policy("latency"), *planned());
  EXPECT_EQ(out["planned"], true);
  EXPECT_EQ(out["policy"], "latency");
  EXPECT_EQ(out["objective"], json::parse(R"({"balance":0.1,"latency":1.0,"money":0.0,"energy":0.0})"));
  EXPECT_EQ(out["law"],
            json::parse(R"({"delay_seconds":0.0,"delay_periods":1.5,"gain":0.15,"gain_bound":0.1859})"));
  EXPECT_EQ(
      out["solver"],
      json::parse(R"({"value":0.61,"gap":0.0004,"step_seconds":0.003,"parked_nodes":1,"feasible":true})"));
  EXPECT_EQ(out["workload"], json::parse(R"({"class":"batch","learned":false,"confidence":0.25})"));
  EXPECT_EQ(out["version"], 12);
  EXPECT_EQ(out["gateways_in_force"], 1);
  ASSERT_EQ(out["backends"].size(), 3u);
  EXPECT_EQ(out["backends"][0],
            json::parse(R"({"id":"be1","address":"10.0.31.2","state":"following","weight":400,
      "configured_weight":1,"weight_override":null,"target_share":0.4,"measured_share":null,
      "binding":"utilization","dimension":"disk_utilization","utilization":{"disk_utilization":0.61},
      "predicted_utilization":null,"cost":{"cpu_utilization":0.00021},"cost_confidence":0.8,
      "latency":{"base_seconds":0.0012,"queue_seconds":0.0004,"confidence":0.5},"affinity":0.0,
      "telemetry_age_seconds":0.12})"));
  EXPECT_EQ(out["backends"][1]["state"], "overridden");
  EXPECT_EQ(out["backends"][1]["weight_override"], 7);
  EXPECT_EQ(out["backends"][1]["dimension"], json());
  EXPECT_EQ(out["backends"][2],
            json::parse(R"({"id":"be3","address":"10.0.33.2","state":"unusable","weight":0,
      "configured_weight":2,"weight_override":null})"))
      << "not planned for yet, and drained";
}

TEST(WeightDocument, AServiceThatNobodyPlansForHasItsConfiguredWeights) {
  Service service = web();
  service.policy = "static";
  const json out = explain_weights(service, *built_in_policy("static"), WeightSnapshot{});
  EXPECT_EQ(out["planned"], false);
  EXPECT_FALSE(out.contains("law"));
  EXPECT_EQ(out["backends"][0]["weight"], 1);
  EXPECT_EQ(out["backends"][0]["state"], "static");
  EXPECT_EQ(out["backends"][1]["weight"], 7);
}

TEST(WeightMetrics, ShowTheLawAndEachWeight) {
  DesiredState state;
  state.services["web"] = std::make_shared<const Service>(web());
  std::string out;
  weight_families(out, state, *planned());
  EXPECT_THAT(out, HasSubstr("penstock_weight_delay_periods{service=\"web\"} 1.5\n"));
  EXPECT_THAT(out, HasSubstr("penstock_weight_gain{service=\"web\"} 0.15\n"));
  EXPECT_THAT(out, HasSubstr("penstock_weight_gain_bound{service=\"web\"} 0.1859\n"));
  EXPECT_THAT(out, HasSubstr("penstock_backend_weight{service=\"web\",backend=\"be1\"} 400\n"));
  EXPECT_THAT(out, HasSubstr("penstock_backend_weight{service=\"web\",backend=\"be3\"} 0\n"));
  EXPECT_THAT(out,
              HasSubstr("penstock_weight_telemetry_age_seconds{service=\"web\",backend=\"be1\"} 0.12\n"));
  EXPECT_THAT(out, Not(HasSubstr("penstock_weight_telemetry_age_seconds{service=\"web\",backend=\"be2\"}")));
  EXPECT_THAT(out, HasSubstr("penstock_weight_solver_gap 0.0004\n"));
  std::string unplanned;
  weight_families(unplanned, state, WeightSnapshot{});
  EXPECT_THAT(unplanned, Not(HasSubstr("penstock_weight_gain{")));
  EXPECT_THAT(unplanned, Not(HasSubstr("penstock_weight_solver_gap 0")));
  EXPECT_THAT(unplanned, HasSubstr("penstock_backend_weight{service=\"web\",backend=\"be2\"} 7\n"));
}

/// The routes alone, over a board of the test's own.
class WeightsTest : public testing::Test {
 protected:
  WeightsTest() {
    char name[] = "/tmp/penstock-weights-XXXXXX";
    folder_ = mkdtemp(name);
    desired_ = Desired::load(SqliteStore::open(folder_ + "/store.db").value(), [](const DesiredSnapshot&) {
               }).value();
    Change change;
    change.put_services = {std::make_shared<const Service>(web())};
    EXPECT_TRUE(desired_->write(change));
    add_weight_routes(router_, *desired_, board_);
  }
  ~WeightsTest() override {
    desired_.reset();
    std::filesystem::remove_all(folder_);
  }
  json get(const std::string& target) {
    HttpRequest request;
    request.target = target;
    return json::parse(router_.route(request).body);
  }

  std::string folder_;
  std::unique_ptr<Desired> desired_;
  WeightBoard board_;
  Router router_;
};

TEST_F(WeightsTest, ExplainAndHistoryShowWhatIsOnTheBoard) {
  board_.show(planned());
  EXPECT_EQ(get("/api/v1/services/web/weights:explain")["backends"][0]["weight"], 400);
  const json history = get("/api/v1/services/web/weights/history?from=-600&limit=5");
  ASSERT_EQ(history["items"].size(), 1u) << history;
  EXPECT_EQ(history["items"][0]["backends"][0]["id"], "be2");
  EXPECT_EQ(history["items"][0]["backends"][1]["weight"], 400);
  EXPECT_TRUE(get("/api/v1/services/web/weights/history?to=-600")["items"].empty());
  EXPECT_EQ(get("/api/v1/services/dns/weights:explain")["status"], 404);
  EXPECT_EQ(get("/api/v1/services/dns/weights/history")["status"], 404);
}

TEST_F(WeightsTest, ABadQueryIsRefusedWithItsName) {
  const auto refusal = [&](const std::string& query) {
    const json answer = get("/api/v1/services/web/weights/history?" + query);
    EXPECT_EQ(answer["status"], 400) << query;
    return answer["errors"][0].value("field", "");
  };
  EXPECT_EQ(refusal("limit=0"), "limit");
  EXPECT_EQ(refusal("limit=1.5"), "limit");
  EXPECT_EQ(refusal("from=yesterday"), "from");
  EXPECT_EQ(refusal("from=nan"), "from");
  EXPECT_EQ(refusal("from=-10&to=-20"), "from");
  EXPECT_EQ(refusal("since=10m"), "since");
  EXPECT_EQ(refusal("limit=1&limit=2"), "limit");
  EXPECT_EQ(refusal("%zz"), "%zz");
  EXPECT_EQ(get("/api/v1/services/web/weights:explain?limit=1")["status"], 400);
}

using WeightsOfTheWhole = WholeControlPlane;

TEST_F(WeightsOfTheWhole, BothArePartOfRestAndMetrics) {
  ASSERT_EQ(call("POST", "/api/v1/services", to_json(web()).dump()).status, 201);
  EXPECT_EQ(call("GET", "/api/v1/services/web/weights:explain").json()["planned"], false);
  EXPECT_EQ(call("GET", "/api/v1/services/web/weights/history?from=-600").status, 200);
  EXPECT_THAT(call("GET", "/metrics").body,
              HasSubstr("penstock_backend_weight{service=\"web\",backend=\"be1\"} 1\n"));
}

}  // namespace
}  // namespace penstock
