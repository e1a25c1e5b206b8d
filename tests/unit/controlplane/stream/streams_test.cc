#include "controlplane/stream/streams.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/controlplane/stream/client.h"

namespace penstock {
namespace {

using testing::HasSubstr;

Service service(const std::string& id, std::uint16_t port, const std::string& address,
                std::uint32_t weight = 1) {
  Service out;
  out.id = id;
  out.key = {*IpAddr::parse("203.0.113.10"), kProtoTcp, port};
  out.backends = {Backend{"be1", *IpAddr::parse(address), weight, false}};
  return out;
}

DesiredSnapshot state_of(std::uint64_t generation, const std::vector<Service>& services = {},
                         const std::vector<GatewayPolicy>& gateways = {}) {
  Change change;
  for (const Service& s : services) change.put_services.push_back(std::make_shared<const Service>(s));
  change.put_gateways = gateways;
  DesiredState state;
  state.epoch = 5;
  state.generation = generation - 1;
  return std::make_shared<const DesiredState>(apply(state, change));
}

/// Reads until `generation` arrives; nothing when the stream ends before.
std::optional<proto::GatewayDirective> hear_generation(GatewayClient& client, std::uint64_t generation) {
  while (auto directive = client.hear()) {
    if (directive->config().generation() == generation) return directive;
  }
  return std::nullopt;
}

TEST(Streams, AGatewayGetsTheLatestOnHelloAndEveryNewGenerationAfter) {
  const auto streams = start_streams();
  streams->publish(state_of(3, {service("web", 80, "10.0.31.2")}));
  GatewayClient gw1(*streams);
  ASSERT_TRUE(gw1.say(gateway_hello("gw1")));
  const auto first = gw1.hear();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->config().generation(), 3u);
  EXPECT_EQ(first->config().epoch(), 5u);
  EXPECT_TRUE(first->announce());
  ASSERT_EQ(first->config().services_size(), 1);
  streams->publish(state_of(4, {service("web", 80, "10.0.31.2", 9)}));
  const auto second = gw1.hear();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->config().generation(), 4u);
  EXPECT_EQ(second->config().services(0).backends(0).weight(), 9u);
}

TEST(Streams, AStoreThatWasNeverWrittenTellsNobodyAnything) {
  const auto streams = start_streams();
  DesiredState never_written;
  never_written.epoch = 5;
  streams->publish(std::make_shared<const DesiredState>(never_written));
  GatewayClient gw1(*streams);
  NodeClient be1(*streams);
  ASSERT_TRUE(gw1.say(gateway_hello("gw1")));
  ASSERT_TRUE(be1.say(node_hello("be1", "10.0.31.2")));
  ASSERT_TRUE(eventually([&] { return streams->gateway("gw1") && streams->node("be1"); }));
  streams->publish(state_of(1));
  EXPECT_EQ(gw1.hear()->config().generation(), 1u);
  EXPECT_EQ(be1.hear()->generation(), 1u);
}

TEST(Streams, ADrainedGatewayIsToldNotToAnnounceAndTheOthersGoOn) {
  const auto streams = start_streams();
  GatewayClient gw1(*streams);
  GatewayClient gw2(*streams);
  ASSERT_TRUE(gw1.say(gateway_hello("gw1")));
  ASSERT_TRUE(gw2.say(gateway_hello("gw2")));
  streams->publish(state_of(1, {}, {{"gw1", false}}));
  EXPECT_FALSE(hear_generation(gw1, 1)->announce());
  EXPECT_TRUE(hear_generation(gw2, 1)->announce());
}

TEST(Streams, AGatewayThatComesBackGetsWhatItMissed) {
  const auto streams = start_streams();
  streams->publish(state_of(1));
  {
    GatewayClient gw1(*streams);
    ASSERT_TRUE(gw1.say(gateway_hello("gw1")));
    ASSERT_TRUE(hear_generation(gw1, 1));
  }
  ASSERT_TRUE(eventually([&] { return !streams->gateway("gw1")->connected; }));
  streams->publish(state_of(2));
  streams->publish(state_of(3));
  GatewayClient again(*streams);
  ASSERT_TRUE(again.say(gateway_hello("gw1")));
  EXPECT_EQ(again.hear()->config().generation(), 3u);
  EXPECT_TRUE(streams->gateway("gw1")->connected);
}

// Some 1.5 MB a directive, which no socket buffer takes unread.
DesiredSnapshot large_state(std::uint64_t generation) {
  std::vector<Service> services;
  for (std::uint16_t i = 1; i <= 500; ++i) {
    Service one = service("service-" + std::to_string(i), i, "10.0.31.2");
    one.backends.clear();
    for (int b = 0; b < 60; ++b) {
      one.backends.push_back(
          {"backend-with-a-long-name-" + std::to_string(b),
           *IpAddr::parse("10.9." + std::to_string(i % 250) + "." + std::to_string(b + 1))});
    }
    services.push_back(std::move(one));
  }
  return state_of(generation, services);
}

TEST(Streams, ASlowGatewayDelaysNobodyAndSkipsToTheLatest) {
  constexpr std::uint64_t kGenerations = 16;
  const auto streams = start_streams();
  GatewayClient slow(*streams);
  GatewayClient quick(*streams);
  ASSERT_TRUE(slow.say(gateway_hello("slow")));
  ASSERT_TRUE(quick.say(gateway_hello("quick")));
  ASSERT_TRUE(eventually([&] { return streams->gateways().size() == 2; }));
  for (std::uint64_t generation = 1; generation <= kGenerations; ++generation) {
    streams->publish(large_state(generation));
    ASSERT_TRUE(hear_generation(quick, generation)) << "while the other gateway reads nothing";
  }
  std::vector<std::uint64_t> heard;
  while (heard.empty() || heard.back() != kGenerations) {
    const auto directive = slow.hear();
    ASSERT_TRUE(directive);
    heard.push_back(directive->config().generation());
  }
  EXPECT_TRUE(std::is_sorted(heard.begin(), heard.end()));
  EXPECT_LT(heard.size(), kGenerations / 2) << "what it missed is skipped, not queued";
}

TEST(Streams, TheNewerOfTwoSessionsWithOneIdCounts) {
  const auto streams = start_streams();
  streams->publish(state_of(1));
  GatewayClient older(*streams);
  ASSERT_TRUE(older.say(gateway_hello("gw1")));
  ASSERT_TRUE(hear_generation(older, 1));
  GatewayClient newer(*streams);
  ASSERT_TRUE(newer.say(gateway_hello("gw1")));
  ASSERT_TRUE(hear_generation(newer, 1));
  const grpc::Status status = older.ended();
  // A session with a write under way is cancelled, since its peer may not be reading: that one hears no
  // reason.
  if (status.error_code() != grpc::StatusCode::CANCELLED) {
    EXPECT_EQ(status.error_code(), grpc::StatusCode::ABORTED);
    EXPECT_THAT(status.error_message(), HasSubstr("'gw1' connected again"));
  }
  EXPECT_TRUE(streams->gateway("gw1")->connected);
  EXPECT_EQ(streams->gateways().size(), 1u);
  streams->publish(state_of(2));
  EXPECT_TRUE(hear_generation(newer, 2));
}

TEST(Streams, WhatAGatewaySaysIsObservedAndStaysKnownAfterItLeft) {
  const auto streams = start_streams();
  {
    GatewayClient gw1(*streams);
    ASSERT_TRUE(gw1.say(gateway_hello("gw1")));
    proto::GatewayReport report;
    report.set_gateway("gw1");
    report.mutable_status()->set_generation(7);
    report.mutable_status()->set_dataplane_alive(true);
    ASSERT_TRUE(gw1.say(report));
    report.mutable_applied()->add_refusals()->set_field("services[0].vip");
    ASSERT_TRUE(gw1.say(report));
    ASSERT_TRUE(eventually([&] {
      const auto gateway = streams->gateway("gw1");
      return gateway && gateway->applied != nullptr;
    }));
  }
  ASSERT_TRUE(eventually([&] { return !streams->gateway("gw1")->connected; }));
  const auto gateway = streams->gateway("gw1");
  EXPECT_EQ(gateway->version, "0.1.0");
  EXPECT_EQ(gateway->status->generation(), 7u);
  EXPECT_EQ(gateway->applied->refusals(0).field(), "services[0].vip");
  streams->forget_gateway("gw1");
  EXPECT_FALSE(streams->gateway("gw1"));
}

TEST(Streams, ANodeHearsOnlyOfItsOwnServicesAndOnlyWhenTheyChange) {
  const auto streams = start_streams();
  const Service mine = service("web", 80, "10.0.31.2");
  const Service other = service("dns", 53, "10.0.99.9");
  streams->publish(state_of(1, {mine, other}));
  NodeClient be1(*streams);
  ASSERT_TRUE(be1.say(node_hello("be1", "10.0.31.2")));
  const auto first = be1.hear();
  ASSERT_TRUE(first);
  ASSERT_EQ(first->services_size(), 1);
  EXPECT_EQ(first->services(0).port(), 80u);

  GatewayClient gw1(*streams);
  ASSERT_TRUE(gw1.say(gateway_hello("gw1")));
  streams->publish(state_of(2, {service("web", 80, "10.0.31.2", 9), other}));
  ASSERT_TRUE(hear_generation(gw1, 2)) << "generation 2 has been delivered";
  streams->publish(state_of(3, {mine, service("dns", 53, "10.0.31.2")}));
  const auto second = be1.hear();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->generation(), 3u) << "a weight is no news for a node";
  EXPECT_EQ(second->services_size(), 2);
}

proto::GatewayReport sync_hello(const std::string& id, const std::string& address) {
  proto::GatewayReport report = gateway_hello(id);
  report.mutable_hello()->set_sync_address(address);
  return report;
}

std::string peers_in(const proto::GatewayDirective& directive) {
  std::string out;
  for (const proto::SyncPeer& peer : directive.peers()) out += peer.gateway() + "=" + peer.address() + " ";
  return out;
}

/// Reads until the peers are `wanted`; nothing when the stream ends before.
std::optional<proto::GatewayDirective> hear_peers(GatewayClient& client, const std::string& wanted) {
  while (auto directive = client.hear()) {
    if (peers_in(*directive) == wanted) return directive;
  }
  return std::nullopt;
}

TEST(Streams, GatewaysThatTakeFlowsAreToldOfEachOtherWithoutTheConfigurationAgain) {
  const auto streams = start_streams();
  streams->publish(state_of(3, {service("web", 80, "10.0.31.2")}));
  GatewayClient gw1(*streams);
  ASSERT_TRUE(gw1.say(sync_hello("gw1", "10.0.1.1:6082")));
  const auto first = gw1.hear();
  ASSERT_TRUE(first);
  EXPECT_TRUE(first->has_config());
  EXPECT_EQ(peers_in(*first), "") << "it is alone";
  proto::GatewayReport applied;
  applied.set_gateway("gw1");
  applied.mutable_applied()->set_running_epoch(5);
  applied.mutable_applied()->set_running_generation(3);
  ASSERT_TRUE(gw1.say(applied));
  ASSERT_TRUE(eventually([&] { return streams->gateway("gw1")->applied != nullptr; }));

  GatewayClient gw2(*streams);
  ASSERT_TRUE(gw2.say(sync_hello("gw2", "[2001:db8::2]:6082")));
  const auto told = hear_peers(gw2, "gw1=10.0.1.1:6082 ");
  ASSERT_TRUE(told);
  EXPECT_TRUE(told->has_config()) << "it is new";
  const auto changed = hear_peers(gw1, "gw2=[2001:db8::2]:6082 ");
  ASSERT_TRUE(changed);
  EXPECT_FALSE(changed->has_config()) << "it has generation 3";
  EXPECT_TRUE(changed->announce()) << "orders stand in every directive";
}

TEST(Streams, PeersChangedBeforeTheConfigurationWasAppliedBringItAgain) {
  const auto streams = start_streams();
  streams->publish(state_of(3));
  GatewayClient gw1(*streams);
  ASSERT_TRUE(gw1.say(sync_hello("gw1", "10.0.1.1:6082")));
  ASSERT_TRUE(gw1.hear());
  GatewayClient gw2(*streams);
  ASSERT_TRUE(gw2.say(sync_hello("gw2", "10.0.1.2:6082")));
  EXPECT_TRUE(hear_peers(gw1, "gw2=10.0.1.2:6082 ")->has_config());
}

TEST(Streams, AGatewayThatCrashedStaysAPeerUntilItIsForgotten) {
  const auto streams = start_streams();
  streams->publish(state_of(1));
  GatewayClient gw1(*streams);
  ASSERT_TRUE(gw1.say(sync_hello("gw1", "10.0.1.1:6082")));
  {
    GatewayClient gw2(*streams);
    ASSERT_TRUE(gw2.say(sync_hello("gw2", "10.0.1.2:6082")));
    ASSERT_TRUE(hear_peers(gw1, "gw2=10.0.1.2:6082 "));
  }
  ASSERT_TRUE(eventually([&] { return !streams->gateway("gw2")->connected; }));
  streams->publish(state_of(2));
  EXPECT_EQ(peers_in(*hear_generation(gw1, 2)), "gw2=10.0.1.2:6082 ");
  streams->forget_gateway("gw2");
  EXPECT_TRUE(hear_peers(gw1, ""));
}

TEST(Streams, AGatewayThatTakesNoFlowsIsNobodysPeerAndHasNone) {
  const auto streams = start_streams();
  streams->publish(state_of(1));
  GatewayClient gw1(*streams);
  GatewayClient gw2(*streams);
  GatewayClient plain(*streams);
  ASSERT_TRUE(plain.say(gateway_hello("plain")));
  EXPECT_EQ(peers_in(*plain.hear()), "");
  ASSERT_TRUE(gw1.say(sync_hello("gw1", "10.0.1.1:6082")));
  ASSERT_TRUE(gw2.say(sync_hello("gw2", "10.0.1.2:6082")));
  ASSERT_TRUE(hear_peers(gw1, "gw2=10.0.1.2:6082 "));
  ASSERT_TRUE(hear_peers(gw2, "gw1=10.0.1.1:6082 "));
  streams->publish(state_of(2));
  const auto next = plain.hear();
  EXPECT_EQ(next->config().generation(), 2u) << "what changed for others is no news for it";
  EXPECT_EQ(peers_in(*next), "");
}

TEST(Streams, AControlPlaneThatHasJustBegunForgetsNoGatewayThatIsAway) {
  const auto streams = start_streams();
  streams->publish(state_of(1));
  GatewayClient gw1(*streams);
  proto::GatewayReport hello = sync_hello("gw1", "10.0.1.1:6082");
  for (const auto& [id, address] : {std::pair("gw1", "10.9.9.9:1"), std::pair("gw2", "10.0.1.2:6082"),
                                    std::pair("gw3", "nonsense"), std::pair("No", "10.0.1.4:6082")}) {
    proto::SyncPeer& peer = *hello.mutable_hello()->add_peers();
    peer.set_gateway(id);
    peer.set_address(address);
  }
  ASSERT_TRUE(gw1.say(hello));
  EXPECT_EQ(peers_in(*gw1.hear()), "gw2=10.0.1.2:6082 ");
  GatewayClient gw2(*streams);
  ASSERT_TRUE(gw2.say(sync_hello("gw2", "10.0.1.22:6082")));
  EXPECT_TRUE(hear_peers(gw1, "gw2=10.0.1.22:6082 ")) << "what it says itself counts";
}

TEST(Streams, OrdersOfAGatewayAreItsOwn) {
  const auto streams = start_streams();
  GatewayPolicy policy{"gw1", false, 100, 10'000, BfdProfile::kNormal};
  policy.vips["203.0.113.10"] = {0, true, false};
  policy.drain_timeout_seconds = 45;
  policy.upgrade = {7, 60};
  streams->publish(state_of(1, {service("web", 80, "10.0.31.2")}, {policy}));
  GatewayClient gw1(*streams);
  GatewayClient gw2(*streams);
  ASSERT_TRUE(gw1.say(gateway_hello("gw1")));
  ASSERT_TRUE(gw2.say(gateway_hello("gw2")));
  auto mine = gw1.hear();
  auto others = gw2.hear();
  ASSERT_TRUE(mine && others);
  EXPECT_EQ(mine->config().services_size(), 1);
  mine->clear_config();
  EXPECT_EQ(
      mine->ShortDebugString(),
      "policy { med: 100 bandwidth_mbps: 10000 vips { vip: \"203.0.113.10\" med: 0 drain: true } "
      "bfd_profile: \"normal\" } upgrade { id: 7 drain_timeout_seconds: 60 } drain_timeout_seconds: 45");
  EXPECT_EQ(others->config().services_size(), 1);
  others->clear_config();
  EXPECT_EQ(others->ShortDebugString(), "announce: true policy { }");
}

TEST(Streams, StoppingEndsOpenSessionsWithAReason) {
  auto streams = start_streams();
  GatewayClient gw1(*streams);
  GatewayClient silent(*streams);
  ASSERT_TRUE(gw1.say(gateway_hello("gw1")));
  ASSERT_TRUE(eventually([&] { return streams->gateway("gw1").has_value(); }));
  streams.reset();
  EXPECT_EQ(gw1.ended().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_FALSE(silent.ended().ok());
}

TEST(Streams, AHundredSessionsComeAndGoWhileGenerationsArePublished) {
  const auto streams = start_streams();
  streams->publish(state_of(1));
  std::vector<std::thread> threads;
  std::atomic<int> served{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 25; ++i) {
        GatewayClient gateway(*streams);
        // Ten ids for a hundred sessions: some displace others, which may end before they hear anything.
        if (gateway.say(gateway_hello("gw" + std::to_string((t * 25 + i) % 10))) && gateway.hear()) ++served;
      }
    });
  }
  for (std::uint64_t generation = 2; generation < 200; ++generation) streams->publish(state_of(generation));
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(served, 50);
  EXPECT_LE(streams->gateways().size(), 10u);
  EXPECT_TRUE(eventually([&] {
    const auto all = streams->gateways();
    return std::none_of(all.begin(), all.end(), [](const ObservedGateway& g) { return g.connected; });
  }));
}

TEST(Streams, APortInUseIsRefusedInsteadOfShared) {
  const auto streams = start_streams();
  const auto second = Streams::start("127.0.0.1:" + std::to_string(streams->port()), TlsFiles{});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(second.error().message, HasSubstr("is another process on that port"));
}

}  // namespace
}  // namespace penstock
