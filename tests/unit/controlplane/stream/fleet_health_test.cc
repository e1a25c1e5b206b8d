// What gateways report of backends comes back to them as the fleet's word, and nodes get their states.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/controlplane/stream/client.h"

namespace penstock {
namespace {

using proto::BackendHealth;

DesiredSnapshot site(std::uint64_t generation) {
  Service web;
  web.id = "web";
  web.key = {*IpAddr::parse("203.0.113.10"), kProtoTcp, 80};
  web.backends = {Backend{"be1", *IpAddr::parse("10.0.31.2")}, Backend{"be2", *IpAddr::parse("10.0.32.2")}};
  Change change;
  change.put_services.push_back(std::make_shared<const Service>(std::move(web)));
  DesiredState state;
  state.epoch = 5;
  state.generation = generation - 1;
  return std::make_shared<const DesiredState>(apply(state, change));
}

proto::GatewayReport hello(const std::string& id, bool takes_fleet_health = true) {
  proto::GatewayReport report = gateway_hello(id);
  report.mutable_hello()->set_fleet_health(takes_fleet_health);
  return report;
}

/// be1 as told, be2 up; runs generation 1.
proto::GatewayReport status(const std::string& id, proto::Liveness be1) {
  proto::GatewayReport report;
  report.set_gateway(id);
  report.mutable_status()->set_dataplane_alive(true);
  report.mutable_status()->set_epoch(5);
  report.mutable_status()->set_generation(1);
  proto::ServiceStats& web = *report.mutable_status()->mutable_stats()->add_services();
  web.set_service("web");
  for (const char* backend : {"be1", "be2"}) {
    const proto::Liveness liveness = backend == std::string("be1") ? be1 : proto::LIVENESS_UP;
    proto::BackendStats& stats = *web.add_backends();
    stats.set_backend(backend);
    stats.set_liveness(liveness);
    stats.mutable_health()->set_probe_rtt_us(90);
    if (liveness == proto::LIVENESS_DOWN) stats.mutable_health()->set_reason(BackendHealth::NO_LISTENER);
  }
  return report;
}

/// Reads until a directive tells of the fleet; nothing when the stream ends before.
std::optional<proto::GatewayDirective> hear_fleet(GatewayClient& client) {
  while (auto directive = client.hear()) {
    if (directive->has_fleet()) return directive;
  }
  return std::nullopt;
}

TEST(FleetHealth, AGatewayIsToldOfADeathWithoutTheConfigurationAndAgainUntilItIsOver) {
  const auto streams = start_streams();
  streams->publish(site(1));
  GatewayClient gw1(*streams);
  ASSERT_TRUE(gw1.say(hello("gw1")));
  ASSERT_TRUE(gw1.hear()->has_config());
  ASSERT_TRUE(gw1.say(status("gw1", proto::LIVENESS_DOWN)));
  const auto told = hear_fleet(gw1);
  ASSERT_TRUE(told);
  EXPECT_FALSE(told->has_config());
  EXPECT_TRUE(told->announce()) << "orders stand in every directive";
  ASSERT_EQ(told->fleet().verdicts_size(), 1);
  EXPECT_EQ(told->fleet().verdicts(0).service(), "web");
  EXPECT_EQ(told->fleet().verdicts(0).backend(), "be1");
  EXPECT_FALSE(told->fleet().verdicts(0).alive());
  EXPECT_EQ(told->fleet().gateways(), 1u);

  ASSERT_TRUE(gw1.say(status("gw1", proto::LIVENESS_DOWN)));
  const auto began = std::chrono::steady_clock::now();
  const auto again = hear_fleet(gw1);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->SerializeAsString(), told->SerializeAsString());
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(5)) << "dataplanes forget it then";

  ASSERT_TRUE(gw1.say(status("gw1", proto::LIVENESS_UP)));
  std::optional<proto::GatewayDirective> over;
  do {
    over = hear_fleet(gw1);
    ASSERT_TRUE(over);
  } while (over->fleet().verdicts_size() != 0);
  streams->publish(site(2));
  const auto next = gw1.hear();
  ASSERT_TRUE(next);
  EXPECT_EQ(next->config().generation(), 2u) << "without verdicts nothing is repeated";
  EXPECT_FALSE(next->has_fleet());
}

TEST(FleetHealth, AGatewayThatDoesNotTakeItIsSparedIt) {
  const auto streams = start_streams();
  streams->publish(site(1));
  GatewayClient older(*streams);
  GatewayClient newer(*streams);
  ASSERT_TRUE(older.say(hello("older", false)));
  ASSERT_TRUE(newer.say(hello("newer")));
  ASSERT_TRUE(older.hear()->has_config());
  ASSERT_TRUE(older.say(status("older", proto::LIVENESS_DOWN)));
  ASSERT_TRUE(hear_fleet(newer)) << "its vote counts";
  streams->publish(site(2));
  const auto next = older.hear();
  ASSERT_TRUE(next);
  EXPECT_EQ(next->config().generation(), 2u);
  EXPECT_FALSE(next->has_fleet());
}

TEST(FleetHealth, VerdictsAndStatesOfNodesCanBeAskedFor) {
  const auto streams = start_streams();
  EXPECT_TRUE(streams->health()->services.empty());
  streams->publish(site(1));
  GatewayClient gw1(*streams);
  NodeClient n1(*streams);
  ASSERT_TRUE(gw1.say(hello("gw1")));
  ASSERT_TRUE(n1.say(node_hello("n1", "10.0.31.2")));
  ASSERT_TRUE(gw1.say(status("gw1", proto::LIVENESS_DOWN)));
  ASSERT_TRUE(eventually([&] {
    const auto health = streams->health();
    const auto web = health->services.find("web");
    return web != health->services.end() && web->second->backends[0].verdict == Verdict::kDead &&
           health->nodes.contains("n1");
  }));
  const auto health = streams->health();
  EXPECT_EQ(health->services.at("web")->backends[0].node, "n1");
  EXPECT_EQ(health->services.at("web")->backends[1].verdict, Verdict::kAlive);
  EXPECT_EQ(health->nodes.at("n1").state, NodeState::kUp);
  EXPECT_EQ(health->events->back().object, "web/be1");
}

}  // namespace
}  // namespace penstock
