// Policy, workload and affinity of services, and overrides of their backends, as documents and under the
// rules.
#include "controlplane/model/workload_document.h"

#include <gtest/gtest.h>

#include "controlplane/model/rules.h"
#include "controlplane/model/service_document.h"
#include "controlplane/model/wire.h"

namespace penstock {
namespace {

using nlohmann::json;

json web(const char* more = "{}") {
  json out = json::parse(R"({"id":"web","vip":"203.0.113.10","protocol":"tcp","port":80,
      "backends":[{"id":"be1","address":"10.0.31.2"}]})");
  out.update(json::parse(more));
  return out;
}

Service parsed(const json& document) {
  Problems problems;
  auto service = parse_service(document, "", problems);
  EXPECT_TRUE(service) << text(problems);
  return service.value_or(Service{});
}

Problems refusal(const json& document) {
  Problems problems;
  EXPECT_FALSE(parse_service(document, "", problems));
  return problems;
}

TEST(WorkloadDocument, AServiceThatSaysNothingIsStaticAndLearned) {
  const Service service = parsed(web());
  EXPECT_EQ(service.policy, "static");
  EXPECT_EQ(service.workload, Workload{});
  EXPECT_EQ(service.preference, Preference{});
  EXPECT_FALSE(service.backends[0].weight_override);
  const json shown = to_json(service);
  for (const char* key : {"policy", "workload", "affinity"}) EXPECT_FALSE(shown.contains(key)) << key;
  EXPECT_FALSE(shown["backends"][0].contains("weight_override"));
}

TEST(WorkloadDocument, EveryFieldIsReadAndWrittenBackTheSame) {
  const json document = web(R"({"policy":"thrifty",
      "workload":{"class":"latency-sensitive","priority":2.5,"latency_objective_ms":20.0},
      "affinity":{"ipv4_prefix":24,"zone":"eu-1a","zone_strict":true,"labels":{"disk":"nvme","rack":"row 3"}},
      "backends":[{"id":"be1","address":"10.0.31.2","weight":3,"weight_override":0}]})");
  const Service service = parsed(document);
  EXPECT_EQ(service.policy, "thrifty");
  EXPECT_EQ(service.workload, (Workload{WorkloadClass::kLatencySensitive, 2.5, 20}));
  EXPECT_EQ(service.affinity.ipv4_prefix, 24);
  EXPECT_EQ(service.preference, (Preference{"eu-1a", true, {{"disk", "nvme"}, {"rack", "row 3"}}}));
  EXPECT_EQ(service.backends[0].weight_override, 0u) << "0 is an answer, and not the same as none";
  const json shown = to_json(service);
  for (const char* key : {"policy", "workload", "affinity"}) EXPECT_EQ(shown[key], document[key]);
  EXPECT_EQ(parsed(shown), service);
}

TEST(WorkloadDocument, ARefusalNamesTheField) {
  EXPECT_EQ(refusal(web(R"({"policy":"No Policy"})")), (Problems{{"policy", "must be the id of a policy"}}));
  EXPECT_EQ(
      refusal(web(R"({"workload":{"class":"fast","priority":0,"latency_objective_ms":-1,"deadline":1}})")),
      (Problems{{"workload.class", "must be auto, latency-sensitive, throughput or batch"},
                {"workload.priority", "must be 0.01–100.0"},
                {"workload.latency_objective_ms", "must be 0.0–600000.0"},
                {"workload.deadline", "unknown key (known: class, latency_objective_ms, priority)"}}));
  EXPECT_EQ(refusal(web(R"({"affinity":{"zone":"a\nb","zone_strict":1,"labels":{"disk":3,"a b":"c"}}})")),
            (Problems{{"affinity.zone", "must be 1–255 printable ASCII characters"},
                      {"affinity.zone_strict", "must be true or false"},
                      {"affinity.labels[a b]",
                       "a label's name must be 1–63 printable ASCII characters without a space"},
                      {"affinity.labels[disk]", "must be 1–255 printable ASCII characters"}}));
  EXPECT_EQ(refusal(web(R"({"affinity":{"zone_strict":true}})")),
            (Problems{{"affinity.zone_strict", "needs a zone"}}));
  EXPECT_EQ(refusal(web(R"({"backends":[{"id":"be1","address":"10.0.31.2","weight_override":1001}]})")),
            (Problems{{"backends[0].weight_override", "must be 0–1000"}}));
}

TEST(WorkloadDocument, APolicyMustExist) {
  const Service service = parsed(web(R"({"policy":"thrifty"})"));
  DesiredState state;
  EXPECT_EQ(conflicts(state, service), (Problems{{"policy", "there is no policy 'thrifty'"}}));
  const json set = {{"services", {web(), web(R"({"id":"b","port":81,"policy":"thrifty"})")}}};
  Problems problems;
  EXPECT_FALSE(parse_services(set, problems, &state));
  EXPECT_EQ(problems, (Problems{{"services[1].policy", "there is no policy 'thrifty'"}}));

  Change change;
  change.put_policies.push_back({.id = "thrifty", .kind = WeightPolicyKind::kCost});
  change.put_services.push_back(std::make_shared<const Service>(service));
  state = apply(state, change);
  problems.clear();
  EXPECT_TRUE(conflicts(state, service).empty());
  EXPECT_TRUE(parse_services(set, problems, &state)) << text(problems);
  EXPECT_EQ(users_of_policy(state, "thrifty"), std::vector<std::string>{"web"});
  EXPECT_TRUE(users_of_policy(state, "static").empty());
}

TEST(WorkloadDocument, DataplanesHearNothingOfIt) {
  DesiredState plain, said;
  plain.services["web"] = std::make_shared<const Service>(parsed(web()));
  said.services["web"] = std::make_shared<const Service>(parsed(web(R"({"policy":"cost",
      "workload":{"class":"batch"},"affinity":{"zone":"a"},
      "backends":[{"id":"be1","address":"10.0.31.2","weight_override":7}]})")));
  EXPECT_EQ(to_dataplane_config(plain).SerializeAsString(), to_dataplane_config(said).SerializeAsString());
}

}  // namespace
}  // namespace penstock
