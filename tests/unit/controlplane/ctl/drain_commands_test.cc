// What drain, undrain and upgrade ask for, and when --wait is over.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
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

class DrainCommandsTest : public ::testing::Test {
 protected:
  DrainCommandsTest() { flags_.pause = std::chrono::milliseconds(1); }

  Commands& answering(FakeRest::Handler handler, bool json = false) {
    server_ = std::make_unique<FakeRest>(std::move(handler));
    commands_ =
        std::make_unique<Commands>(RestClient(*HttpClient::from_url(server_->url())), json, out_, progress_);
    return *commands_;
  }
  /// Answers writes with `written`, and each GET of a gateway with the next of `standings`; the last stays.
  Commands& gateway(std::string written, std::vector<std::string> standings) {
    return answering([=, this](const Asked& asked) -> Answer {
      if (asked.method == "POST") return {200, written};
      const std::size_t n = std::min<std::size_t>(looks_++, standings.size() - 1);
      return standings[n].empty() ? Answer{503, "not json"} : Answer{200, standings[n]};
    });
  }
  Asked asked(std::size_t n) const { return server_->asked().at(n); }

  DrainFlags flags_;
  std::atomic<std::size_t> looks_{0};
  std::ostringstream out_, progress_;
  std::unique_ptr<FakeRest> server_;
  std::unique_ptr<Commands> commands_;
};

Answer ok(const Asked&) { return {}; }

TEST_F(DrainCommandsTest, DurationsAndPoliciesAreSentAsTheServerWantsThem) {
  auto& commands = answering(ok);
  flags_.deadline = "10m";
  flags_.policy = "reset";
  ASSERT_TRUE(commands.drain("backend", "web/be1", flags_));
  ASSERT_TRUE(commands.drain("node", "be1", flags_));
  flags_ = {};
  ASSERT_TRUE(commands.drain("gateway", "gw1", flags_));
  flags_.drain_timeout = "90s";
  ASSERT_TRUE(commands.drain("gateway", "gw1", flags_));
  ASSERT_TRUE(commands.upgrade("gw1", flags_));
  ASSERT_TRUE(commands.undrain("node", "be1", {}));
  EXPECT_EQ(asked(0).target, "/api/v1/services/web/backends/be1/drain");
  EXPECT_EQ(Json::parse(asked(0).body), Json::parse(R"({"deadline_seconds":600,"policy":"reset"})"));
  EXPECT_EQ(asked(1).target, "/api/v1/nodes/be1/drain");
  EXPECT_EQ(asked(1).body, asked(0).body);
  EXPECT_EQ(asked(2).body, "") << "as servers of old want it";
  EXPECT_EQ(asked(3).target, "/api/v1/gateways/gw1/drain");
  EXPECT_EQ(asked(3).body, R"({"deadline_seconds":90})");
  EXPECT_EQ(asked(4).target, "/api/v1/gateways/gw1/upgrade");
  EXPECT_EQ(asked(4).body, R"({"drain_timeout_seconds":90})");
  EXPECT_EQ(asked(5).target, "/api/v1/nodes/be1/undrain");
}

TEST_F(DrainCommandsTest, AWrongFlagDrainsNothing) {
  auto& commands = answering(ok);
  const auto refused = [&](const std::string& kind, const std::string& id) {
    const Status status = commands.drain(kind, id, flags_);
    EXPECT_FALSE(status);
    return status ? std::string() : status.error().text();
  };
  flags_.deadline = "ten minutes";
  EXPECT_THAT(refused("backend", "web/be1"), HasSubstr("--deadline: 'ten minutes' is no duration"));
  flags_.deadline = "10m";
  EXPECT_THAT(refused("gateway", "gw1"), HasSubstr("a gateway takes --drain-timeout"));
  flags_ = {};
  flags_.drain_timeout = "10s";
  EXPECT_THAT(refused("node", "be1"), HasSubstr("a node takes --deadline"));
  flags_ = {};
  flags_.timeout = "1d";
  EXPECT_THAT(refused("backend", "web/be1"), HasSubstr("--timeout"));
  EXPECT_TRUE(server_->asked().empty());
}

TEST_F(DrainCommandsTest, ANodeTellsWhichBackendsItDrained) {
  ASSERT_TRUE(
      answering([](const Asked&) {
        return Answer{200, R"({"backends":[{"service":"web","id":"be1"},{"service":"dns","id":"a"}]})"};
      }).drain("node", "be1", flags_));
  EXPECT_EQ(out_.str(), "node be1 drained: web/be1 dns/a\n");
}

TEST_F(DrainCommandsTest, ABackendIsWaitedForUntilEveryGatewayHasTheDrainAndNoFlowIsLeft) {
  const std::vector<std::string> readings = {
      R"({"backends":[{"backend":"be1","flows":0}],"gateways":[{"gateway":"gw1","connected":true,"generation":6}]})",
      R"({"backends":[{"backend":"be1","flows":5},{"backend":"be2","flows":9}],
          "gateways":[{"gateway":"gw1","connected":true,"generation":7}]})",
      R"({"backends":[{"backend":"be1","flows":0}],"gateways":[{"gateway":"gw1","connected":true,"generation":7},
          {"gateway":"gw2","connected":false,"generation":1}]})"};
  flags_.wait = true;
  ASSERT_TRUE(answering([=, this](const Asked& asked) -> Answer {
                if (asked.method == "POST") return {200, R"({"drain":true})"};
                if (asked.target == "/api/v1/status") return {200, R"({"generation":7})"};
                return {200, readings[std::min<std::size_t>(looks_++, readings.size() - 1)]};
              }).drain("backend", "web/be1", flags_));
  EXPECT_EQ(progress_.str(),
            "gateways that have yet to take up generation 7: 1\n5 flows left\n0 flows left\n");
}

TEST_F(DrainCommandsTest, FlowsThatStayBeyondTheTimeAreAFailure) {
  flags_.wait = true;
  flags_.timeout = "1s";
  const Status status = answering([](const Asked& asked) -> Answer {
                          if (asked.method == "POST") return {200, "{}"};
                          return {200, R"({"generation":7,"backends":[{"backend":"be1","flows":5}],
                              "gateways":[{"gateway":"gw1","connected":true,"generation":7}]})"};
                        }).drain("backend", "web/be1", flags_);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_THAT(status.error().message, HasSubstr("5 flows left"));
}

TEST_F(DrainCommandsTest, WithoutAGatewayNobodyKnowsWhetherFlowsAreLeft) {
  flags_.wait = true;
  flags_.timeout = "1s";
  const Status status = answering([](const Asked& asked) -> Answer {
                          if (asked.method == "POST") return {200, "{}"};
                          return {200, R"({"generation":7,"backends":[{"backend":"be1","flows":0}],
                              "gateways":[{"gateway":"gw1","connected":false,"generation":7}]})"};
                        }).drain("backend", "web/be1", flags_);
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr("no gateway is connected"));
}

TEST_F(DrainCommandsTest, AGatewayIsWaitedForUntilItIsQuiet) {
  flags_.wait = true;
  ASSERT_TRUE(gateway("{}", {R"({"drain":null})",
                             R"({"drain":{"phase":"draining","packets_per_second":1200,"flows":34}})",
                             R"({"drain":{"phase":"withdrawn","packets_per_second":3,"flows":34}})",
                             R"({"drain":{"phase":"quiet","packets_per_second":0,"flows":34}})"})
                  .drain("gateway", "gw1", flags_));
  EXPECT_EQ(progress_.str(),
            "not heard of yet, 0 packets/s, 0 flows left\ndraining, 1200 packets/s, 34 flows left\n"
            "withdrawn, 3 packets/s, 34 flows left\nquiet, 0 packets/s, 34 flows left\n");
}

TEST_F(DrainCommandsTest, AnUndrainIsDoneWhenVipsAreAnnounced) {
  flags_.wait = true;
  ASSERT_TRUE(gateway("{}", {R"({"announced_vips":["203.0.113.10"],"drain":{"phase":"quiet"}})",
                             R"({"announced_vips":[],"drain":{"phase":"none"}})",
                             R"({"announced_vips":["203.0.113.10"],"drain":{"phase":"none"}})"})
                  .undrain("gateway", "gw1", flags_));
  EXPECT_EQ(progress_.str(), "1 VIPs announced\n0 VIPs announced\n1 VIPs announced\n");
}

TEST_F(DrainCommandsTest, AnUpgradeIsFollowedByItsIdToItsEnd) {
  flags_.wait = true;
  ASSERT_TRUE(
      gateway(R"({"upgrade_request":{"id":3}})",
              {R"({"upgrade":{"id":2,"phase":"done"}})",
               R"({"upgrade":{"id":3,"phase":"draining"},"drain":{"packets_per_second":12}})",
               R"({"upgrade":{"id":3,"phase":"restarting"}})", R"({"upgrade":{"id":3,"phase":"done"}})"})
          .upgrade("gw1", flags_));
  EXPECT_EQ(out_.str(), "gateway gw1: upgrade 3 asked for\n");
  EXPECT_EQ(progress_.str(), "asked for\ndraining, 12 packets/s\nrestarting\ndone\n");
}

TEST_F(DrainCommandsTest, AnUpgradeThatFailsSaysWhy) {
  flags_.wait = true;
  const Status status = gateway(R"({"upgrade_request":{"id":3}})",
                                {R"({"upgrade":{"id":3,"phase":"failed","detail":"it did not beat again"}})"})
                            .upgrade("gw1", flags_);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message, "it did not beat again");
}

TEST_F(DrainCommandsTest, JsonIsAloneOnStandardOutput) {
  flags_.wait = true;
  answering(
      [](const Asked& asked) {
        return Answer{200, asked.method == "POST" ? R"({"id":"gw1"})" : R"({"drain":{"phase":"quiet"}})"};
      },
      true);
  ASSERT_TRUE(commands_->drain("gateway", "gw1", flags_));
  EXPECT_EQ(Json::parse(out_.str()), Json::parse(R"({"id":"gw1"})"));
}

}  // namespace
}  // namespace penstock
