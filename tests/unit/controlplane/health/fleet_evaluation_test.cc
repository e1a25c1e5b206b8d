#include "controlplane/health/fleet_evaluation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

namespace penstock {
namespace {

using proto::BackendHealth;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// A site of one service "web" with be1 … be3 on nodes n1 … n3, told by two or three gateways.
class FleetEvaluationTest : public testing::Test {
 protected:
  FleetEvaluationTest() {
    set_backends({"be1", "be2", "be3"});
    for (int i = 1; i <= 3; ++i) {
      inputs_.nodes.push_back({"n" + std::to_string(i), {}, {address(i)}});
    }
    inputs_.now = Nanoseconds::from_seconds(1000);
    inputs_.unix_ms = 1'700'000'000'000;
  }

  static IpAddr address(int backend) { return *IpAddr::parse("10.0.3" + std::to_string(backend) + ".2"); }

  void set_backends(const std::vector<std::string>& ids) {
    auto service = std::make_shared<Service>();
    service->id = "web";
    for (const std::string& id : ids) service->backends.push_back({id, address(id.back() - '0')});
    DesiredState state;
    state.generation = ++generation_;
    state.services.emplace("web", std::move(service));
    inputs_.state = std::make_shared<const DesiredState>(std::move(state));
  }

  struct Said {
    std::string backend;
    proto::Liveness liveness = proto::LIVENESS_UP;
    BackendHealth::Reason reason = BackendHealth::NONE;
    bool in_doubt = false;
  };

  /// A report of a gateway, just arrived.
  void say(const std::string& gateway, const std::vector<Said>& all, bool all_down = false) {
    auto status = std::make_shared<proto::GatewayStatus>();
    status->set_dataplane_alive(true);
    proto::ServiceStats& service = *status->mutable_stats()->add_services();
    service.set_service("web");
    service.set_all_down(all_down);
    for (const Said& said : all) {
      proto::BackendStats& backend = *service.add_backends();
      backend.set_backend(said.backend);
      backend.set_liveness(said.liveness);
      BackendHealth& health = *backend.mutable_health();
      health.set_reason(said.reason);
      health.set_in_doubt(said.in_doubt);
      health.set_probe_rtt_us(80);
      health.set_probe_loss_percent(said.reason == BackendHealth::SILENT ? 100 : 0);
    }
    HealthInputs::Gateway& entry = at(gateway);
    entry.connected = true;
    entry.status_at = inputs_.now;
    entry.status = std::move(status);
  }
  HealthInputs::Gateway& at(const std::string& gateway) {
    for (auto& entry : inputs_.gateways) {
      if (entry.id == gateway) return entry;
    }
    return inputs_.gateways.emplace_back(HealthInputs::Gateway{gateway, false, {}, nullptr});
  }

  void step(bool agents = true) {
    if (agents) {
      for (auto& node : inputs_.nodes) node.last_seen = inputs_.now;
    }
    evaluation_.step(inputs_);
  }
  void pass(std::uint64_t milliseconds) {
    inputs_.now = inputs_.now + Nanoseconds::from_millis(milliseconds);
    inputs_.unix_ms += milliseconds;
  }

  [[nodiscard]] BackendVerdict backend(const std::string& id) const {
    for (const BackendVerdict& b : evaluation_.snapshot()->services.at("web")->backends) {
      if (b.id == id) return b;
    }
    return {};
  }
  [[nodiscard]] std::vector<std::string> events() const {
    std::vector<std::string> out;
    for (const HealthEvent& e : *evaluation_.snapshot()->events) {
      out.push_back(std::string(e.kind) + " " + e.object + ": " + e.from + " -> " + e.to);
    }
    return out;
  }
  [[nodiscard]] std::vector<std::string> fleet() const {
    std::vector<std::string> out;
    for (const auto& v : evaluation_.fleet().verdicts()) {
      out.push_back(v.service() + "/" + v.backend() + (v.alive() ? " alive" : " dead"));
    }
    return out;
  }

  std::uint64_t generation_ = 0;
  HealthInputs inputs_;
  FleetEvaluation evaluation_;
};

constexpr auto kUp = proto::LIVENESS_UP;
constexpr auto kDown = proto::LIVENESS_DOWN;

TEST_F(FleetEvaluationTest, BeforeAnybodySpokeEverythingIsUnknownAndNobodyIsToldAnything) {
  step();
  EXPECT_EQ(backend("be1").verdict, Verdict::kUnknown);
  EXPECT_THAT(fleet(), IsEmpty());
  EXPECT_THAT(events(), IsEmpty());
}

TEST_F(FleetEvaluationTest, OneGatewaysBadLinkEmptiesNoService) {
  say("gw1", {{"be1"}, {"be2"}, {"be3"}});
  say("gw2", {{"be1"}, {"be2"}, {"be3"}});
  step();
  pass(1000);
  say("gw1", {{"be1", kDown, BackendHealth::SILENT},
              {"be2", kDown, BackendHealth::SILENT},
              {"be3", kDown, BackendHealth::SILENT}});
  say("gw2", {{"be1"}, {"be2"}, {"be3"}});
  step();
  EXPECT_EQ(backend("be1").verdict, Verdict::kAlive) << "a tie keeps the former verdict";
  EXPECT_EQ(backend("be1").votes, (Votes{.up = 1, .down = 1}));
  EXPECT_THAT(events(), IsEmpty());
  EXPECT_THAT(fleet(), ElementsAre("web/be1 alive", "web/be2 alive", "web/be3 alive"));
  pass(1000);
  // It notices that it is the link: now the fleet's word is what it goes by.
  say("gw1", {{"be1", kUp, BackendHealth::FLEET, true}, {"be2", kUp, BackendHealth::FLEET, true}, {"be3"}});
  say("gw2", {{"be1"}, {"be2", kDown, BackendHealth::NO_LISTENER}, {"be3"}});
  step();
  EXPECT_EQ(backend("be2").verdict, Verdict::kDead);
  EXPECT_EQ(backend("be2").reason, BackendHealth::NO_LISTENER);
  EXPECT_THAT(fleet(), ElementsAre("web/be1 alive", "web/be2 dead"));
  EXPECT_EQ(evaluation_.fleet().gateways(), 2u) << "gw1 still has an opinion of be3";
  EXPECT_THAT(events(), ElementsAre("backend web/be2: alive -> dead"));
}

TEST_F(FleetEvaluationTest, AVerdictDoesNotFeedItself) {
  say("gw1", {{"be1", kDown, BackendHealth::SILENT}});
  say("gw2", {{"be1", proto::LIVENESS_UNKNOWN}});
  step();
  EXPECT_EQ(backend("be1").verdict, Verdict::kDead);
  pass(1000);
  say("gw1", {{"be1", kUp}});
  say("gw2", {{"be1", kDown, BackendHealth::FLEET}});
  step();
  EXPECT_EQ(backend("be1").verdict, Verdict::kAlive);
  pass(1000);
  say("gw1", {{"be1", kUp, BackendHealth::NONE, true}});
  say("gw2", {{"be1", kDown, BackendHealth::HELD}});
  step();
  EXPECT_EQ(backend("be1").verdict, Verdict::kAlive) << "a hold is no evidence";
}

TEST_F(FleetEvaluationTest, AGatewayThatIsGoneSilentOrWithoutADataplaneHasNoVote) {
  const auto both = [&] {
    say("gw1", {{"be1", kDown, BackendHealth::SILENT}});
    say("gw2", {{"be1", kDown, BackendHealth::SILENT}});
    say("gw3", {{"be1"}});
    step();
    EXPECT_EQ(backend("be1").verdict, Verdict::kDead);
  };
  both();
  at("gw1").connected = false;
  at("gw2").connected = false;
  step();
  EXPECT_EQ(backend("be1").verdict, Verdict::kAlive);
  both();
  pass(3001);
  say("gw3", {{"be1"}});
  step();
  EXPECT_EQ(backend("be1").verdict, Verdict::kAlive) << "reports of three seconds ago";
  both();
  for (const char* gateway : {"gw1", "gw2"}) {
    auto status = std::make_shared<proto::GatewayStatus>(*at(gateway).status);
    status->set_dataplane_alive(false);
    at(gateway).status = std::move(status);
  }
  step();
  EXPECT_EQ(backend("be1").verdict, Verdict::kAlive);
  both();
  std::erase_if(inputs_.gateways, [](const auto& gateway) { return gateway.id != "gw3"; });
  step();
  EXPECT_EQ(backend("be1").verdict, Verdict::kAlive) << "forgotten gateways";
  both();
}

TEST_F(FleetEvaluationTest, AReportWithoutStatisticsLeavesTheVotesAsTheyAreForAWhile) {
  say("gw1", {{"be1", kDown, BackendHealth::SILENT}});
  step();
  for (int second = 1; second <= 5; ++second) {
    pass(1000);
    auto status = std::make_shared<proto::GatewayStatus>();
    status->set_dataplane_alive(true);
    at("gw1").status = std::move(status);
    at("gw1").status_at = inputs_.now;
    step();
    EXPECT_EQ(backend("be1").verdict, second <= 3 ? Verdict::kDead : Verdict::kUnknown) << second;
  }
}

TEST_F(FleetEvaluationTest, WhatAReportDoesNotMentionAnyMoreDoesNotCount) {
  say("gw1", {{"be1", kDown, BackendHealth::SILENT}, {"be2"}});
  step();
  pass(1000);
  say("gw1", {{"be2"}, {"be9"}});
  step();
  EXPECT_EQ(backend("be1").verdict, Verdict::kUnknown);
  EXPECT_EQ(backend("be2").verdict, Verdict::kAlive);
}

TEST_F(FleetEvaluationTest, ReportsInAnotherOrderAndOfAnotherGenerationAreUnderstood) {
  set_backends({"be3", "be1"});
  say("gw1", {{"be1", kDown, BackendHealth::STALLED}, {"be2"}, {"be3"}});
  step();
  EXPECT_EQ(backend("be1").verdict, Verdict::kDead);
  EXPECT_EQ(backend("be3").verdict, Verdict::kAlive);
  EXPECT_EQ(evaluation_.snapshot()->services.at("web")->backends.size(), 2u);
}

TEST_F(FleetEvaluationTest, AChangeOfTheServiceKeepsTheVerdictsOfTheBackendsThatStay) {
  say("gw1", {{"be1", kDown, BackendHealth::SILENT}, {"be2"}, {"be3"}});
  step();
  const Nanoseconds since = backend("be1").since;
  pass(500);
  set_backends({"be2", "be1"});
  step();
  EXPECT_EQ(backend("be1").verdict, Verdict::kDead);
  EXPECT_EQ(backend("be1").since, since);
  EXPECT_EQ(backend("be2").verdict, Verdict::kAlive);
  inputs_.state = std::make_shared<const DesiredState>();
  step();
  EXPECT_TRUE(evaluation_.snapshot()->services.empty());
  EXPECT_THAT(fleet(), IsEmpty());
}

TEST_F(FleetEvaluationTest, NodesAreJudgedByTheirAgentsAndByTheProbesOfTheirBackends) {
  const auto second = [&](bool lost, bool doubt, bool n1_talks) {
    pass(1000);
    const auto reason = lost ? BackendHealth::SILENT : BackendHealth::NONE;
    for (const char* gateway : {"gw1", "gw2"}) {
      say(gateway, {{"be1", lost ? kDown : kUp, reason, doubt}, {"be2", kUp, BackendHealth::NONE, doubt}});
    }
    for (auto& node : inputs_.nodes) {
      if (n1_talks || node.id != "n1") node.last_seen = inputs_.now;
    }
    step(false);
  };
  const auto state = [&](const char* id) {
    return node_state_name(evaluation_.snapshot()->nodes.at(id).state);
  };
  second(false, false, true);
  EXPECT_STREQ(state("n1"), "up");
  EXPECT_EQ(evaluation_.snapshot()->nodes.at("n1").paths, (PathVotes{.heard = 2}));
  EXPECT_EQ(backend("be1").node, "n1");
  second(true, false, true);
  second(true, false, true);
  EXPECT_STREQ(state("n1"), "path_lost");
  EXPECT_STREQ(state("n2"), "up");
  for (int i = 0; i < 4; ++i) second(true, false, false);
  EXPECT_STREQ(state("n1"), "dead");
  EXPECT_THAT(evaluation_.snapshot()->events->back().reason, HasSubstr("agent silent"));
  for (int i = 0; i < 4; ++i) second(false, false, false);
  EXPECT_STREQ(state("n1"), "agent_lost");
  for (int i = 0; i < 4; ++i) second(true, true, false);
  EXPECT_STREQ(state("n1"), "unknown") << "gateways that doubt their links prove no death";
  EXPECT_THAT(events(), testing::Contains("node n1: path_lost -> dead"));
}

TEST_F(FleetEvaluationTest, AServiceWithoutLivingBackendsIsAnEventOnceAndNamesTheGateways) {
  say("gw1", {{"be1"}});
  step();
  pass(1000);
  say("gw1", {{"be1", kDown, BackendHealth::NO_LISTENER}}, true);
  step();
  pass(1000);
  say("gw1", {{"be1", kDown, BackendHealth::NO_LISTENER}}, true);
  say("gw2", {{"be1", kDown, BackendHealth::NO_LISTENER}}, true);
  step();
  EXPECT_THAT(evaluation_.snapshot()->services.at("web")->all_down, ElementsAre("gw1", "gw2"));
  EXPECT_THAT(events(), ElementsAre("backend web/be1: alive -> dead", "service web: alive -> all_down"));
  pass(1000);
  say("gw1", {{"be1"}});
  say("gw2", {{"be1"}});
  step();
  EXPECT_THAT(evaluation_.snapshot()->services.at("web")->all_down, IsEmpty());
  EXPECT_EQ(events().back(), "service web: all_down -> alive");
}

TEST_F(FleetEvaluationTest, EventsAreBounded) {
  for (std::size_t i = 0; i < kMaxHealthEvents + 10; ++i) {
    pass(1000);
    say("gw1", {{"be1", i % 2 == 0 ? kUp : kDown, BackendHealth::NONE}});
    step();
  }
  EXPECT_EQ(evaluation_.snapshot()->events->size(), kMaxHealthEvents);
  EXPECT_EQ(evaluation_.snapshot()->events->back().unix_ms, inputs_.unix_ms);
}

TEST_F(FleetEvaluationTest, WithoutNewsTheSnapshotStaysTheSame) {
  say("gw1", {{"be1"}});
  step();
  const auto before = evaluation_.snapshot();
  pass(250);
  step();
  EXPECT_EQ(evaluation_.snapshot(), before);
}

}  // namespace
}  // namespace penstock
