// What of a service, its policy and its nodes' labels the planner is told.
#include "controlplane/stream/planned_fleet.h"

#include <gtest/gtest.h>

#include "controlplane/model/desired_state.h"

namespace penstock {
namespace {

DesiredState site() {
  Service service;
  service.id = "web";
  service.key = {*IpAddr::parse("203.0.113.10"), kProtoTcp, 80};
  service.backends = {Backend{"be1", *IpAddr::parse("10.0.31.2")}};
  service.policy = "night";
  service.workload = {.work = WorkloadClass::kBatch, .priority = 3, .latency_objective_ms = 20};
  service.preference = {.zone = "eu-1a", .zone_strict = true, .labels = {{"disk", "nvme"}}};
  WeightPolicy policy;
  policy.id = "night";
  policy.kind = WeightPolicyKind::kEnergy;
  policy.min_share = 0.01;
  policy.max_share = 0.5;
  policy.budget_per_hour = 7;
  policy.min_awake = 2;
  Change change;
  change.put_policies.push_back(policy);
  change.put_services.push_back(std::make_shared<const Service>(std::move(service)));
  return apply(DesiredState{}, change);
}

TEST(PlannedFleet, TellsAllThatAServiceAndItsPolicySay) {
  const auto planned = planned_fleet(site(), {}, [](const Service&, std::size_t) { return true; });
  ASSERT_EQ(planned.fleet.services.size(), 1U);
  const load::PlannerService& web = planned.fleet.services[0];
  EXPECT_EQ(web.policy, load::PolicyKind::kEnergy);
  EXPECT_EQ(web.objective.energy, load::objective_of(load::PolicyKind::kEnergy).energy);
  EXPECT_EQ(web.workload, load::WorkloadClass::kBatch);
  EXPECT_EQ(web.priority, 3);
  EXPECT_EQ(web.latency_objective, 0.02);
  EXPECT_EQ(web.zone, "eu-1a");
  EXPECT_TRUE(web.zone_strict);
  EXPECT_EQ(web.labels.at("disk"), "nvme");
  EXPECT_EQ(web.min_share, 0.01);
  EXPECT_EQ(web.max_share, 0.5);
  EXPECT_EQ(web.budget_per_hour, 7);
  EXPECT_EQ(web.min_awake, 2U);
}

TEST(PlannedFleet, IsAnotherWhenTheClassOrTheLeastNumberChanges) {
  const auto all = [](const Service&, std::size_t) { return true; };
  const auto before = planned_fleet(site(), {}, all).fleet;
  EXPECT_TRUE(same_fleet(before, before));
  auto after = before;
  after.services[0].workload.reset();
  EXPECT_FALSE(same_fleet(before, after));
  after = before;
  after.services[0].min_awake = 1;
  EXPECT_FALSE(same_fleet(before, after));
}

}  // namespace
}  // namespace penstock
