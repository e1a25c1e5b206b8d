#include "controlplane/ctl/commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <sstream>

#include "fake_rest.h"

namespace penstock {
namespace {

using test::Answer;
using test::Asked;
using test::FakeRest;
using ::testing::HasSubstr;

const char* const kProblem = R"({"type":"about:blank","title":"The document is not valid","status":422,
    "errors":[{"field":"backends[0].weight","detail":"must be 0–1000"},{"field":"port","detail":"must be 1–65535"}]})";

class CommandsTest : public ::testing::Test {
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

  std::ostringstream out_;
  std::unique_ptr<FakeRest> server_;
  std::unique_ptr<Commands> commands_;
};

Answer ok(const Asked& asked) { return {200, asked.body.empty() ? "{}" : asked.body}; }

TEST_F(CommandsTest, GetPrintsATableOrTheServersDocument) {
  const auto list = [](const Asked&) {
    return Answer{200, R"({"items":[{"id":"web","vip":"203.0.113.10"}]})"};
  };
  ASSERT_TRUE(answering(list).get_services(""));
  EXPECT_EQ(line(0), "GET /api/v1/services");
  EXPECT_THAT(out_.str(), HasSubstr("web      203.0.113.10"));
  out_.str("");
  ASSERT_TRUE(answering(list, true).get_services(""));
  EXPECT_EQ(Json::parse(out_.str())["items"][0]["id"], "web");
}

TEST_F(CommandsTest, GetOneShowsOneRow) {
  ASSERT_TRUE(answering([](const Asked&) { return Answer{200, R"({"id":"gw1"})"}; }).get_gateways("gw1"));
  EXPECT_EQ(line(0), "GET /api/v1/gateways/gw1");
  EXPECT_THAT(out_.str(), HasSubstr("\ngw1 "));
}

TEST_F(CommandsTest, SetServiceSendsOnlyWhatIsGiven) {
  ServiceFlags flags;
  flags.port = "8080";
  ASSERT_TRUE(answering(ok).set_service("web", flags));
  ASSERT_EQ(server_->asked().size(), 1u);
  EXPECT_EQ(line(0), "PATCH /api/v1/services/web");
  EXPECT_EQ(server_->asked()[0].content_type, "application/merge-patch+json");
  EXPECT_EQ(Json::parse(server_->asked()[0].body), Json::parse(R"({"port":8080})"));
}

TEST_F(CommandsTest, SetServiceCreatesWhatIsMissing) {
  ServiceFlags flags;
  flags.vip = "203.0.113.10";
  flags.protocol = "tcp";
  flags.port = "80";
  flags.backends = {"id=be1,address=10.0.31.2,weight=1"};
  auto& commands = answering([](const Asked& asked) {
    return asked.method == "PATCH" ? Answer{404, "{}"} : ok(asked);
  });
  ASSERT_TRUE(commands.set_service("web", flags));
  EXPECT_EQ(line(1), "PUT /api/v1/services/web");
  EXPECT_EQ(Json::parse(server_->asked()[1].body),
            Json::parse(R"({"id":"web","vip":"203.0.113.10","protocol":"tcp","port":80,
                            "backends":[{"id":"be1","address":"10.0.31.2","weight":1}]})"));
}

TEST_F(CommandsTest, CreateServiceLeavesAnExistingOneAlone) {
  ServiceFlags flags;
  flags.vip = "203.0.113.10";
  auto status = answering([](const Asked&) {
                  return Answer{409, R"({"detail":"'web' is taken"})"};
                }).create_service("web", flags);
  ASSERT_FALSE(status);
  ASSERT_EQ(server_->asked().size(), 1u);
  EXPECT_EQ(line(0), "POST /api/v1/services");
  EXPECT_EQ(Json::parse(server_->asked()[0].body), Json::parse(R"({"vip":"203.0.113.10","id":"web"})"));
}

TEST_F(CommandsTest, SetBackendChangesTheWeight) {
  BackendFlags flags;
  flags.weight = 3;
  ASSERT_TRUE(answering(ok).set_backend("web/be1", flags));
  EXPECT_EQ(line(0), "PATCH /api/v1/services/web/backends/be1");
  EXPECT_EQ(server_->asked()[0].body, R"({"weight":3})");
}

TEST_F(CommandsTest, SetBackendWithoutAnAddressDoesNotInventOne) {
  BackendFlags flags;
  flags.weight = 3;
  auto status = answering([](const Asked&) {
                  return Answer{404, R"({"detail":"no backend be9 in web"})"};
                }).set_backend("web/be9", flags);
  ASSERT_FALSE(status);
  EXPECT_EQ(server_->asked().size(), 1u);
  EXPECT_EQ(status.error().message, "no backend be9 in web (HTTP 404)");
}

TEST_F(CommandsTest, DrainAndDeleteUseTheirPaths) {
  auto& commands = answering(ok);
  ASSERT_TRUE(commands.drain("backend", "web/be1", {}));
  ASSERT_TRUE(commands.undrain("backend", "web/be1", {}));
  ASSERT_TRUE(commands.drain("gateway", "gw1", {}));
  ASSERT_TRUE(commands.remove("backend", "web/be1"));
  ASSERT_TRUE(commands.remove("service", "web"));
  EXPECT_EQ(line(0), "POST /api/v1/services/web/backends/be1/drain");
  EXPECT_EQ(line(1), "POST /api/v1/services/web/backends/be1/undrain");
  EXPECT_EQ(line(2), "POST /api/v1/gateways/gw1/drain");
  EXPECT_EQ(line(3), "DELETE /api/v1/services/web/backends/be1");
  EXPECT_EQ(line(4), "DELETE /api/v1/services/web");
}

TEST_F(CommandsTest, MaintenanceBeginsAndEndsAndNamesTheBackendsOfANode) {
  auto& commands = answering([](const Asked&) {
    return Answer{200, R"({"backends":[{"service":"dns","id":"a"},{"service":"web","id":"be1"},7]})"};
  });
  ASSERT_TRUE(commands.maintenance("backend", "web/be1", true));
  ASSERT_TRUE(commands.maintenance("backend", "web/be1", false));
  ASSERT_TRUE(commands.maintenance("node", "node1", true));
  ASSERT_TRUE(commands.maintenance("node", "node1", false));
  EXPECT_FALSE(commands.maintenance("backend", "web", true));
  EXPECT_EQ(line(0), "POST /api/v1/services/web/backends/be1/maintenance");
  EXPECT_EQ(line(1), "DELETE /api/v1/services/web/backends/be1/maintenance");
  EXPECT_EQ(line(2), "POST /api/v1/nodes/node1/maintenance");
  EXPECT_EQ(line(3), "DELETE /api/v1/nodes/node1/maintenance");
  EXPECT_EQ(server_->asked().size(), 4u);
  EXPECT_THAT(out_.str(), HasSubstr("backend web/be1 in maintenance\nbackend web/be1 out of maintenance\n"
                                    "node node1 in maintenance: dns/a web/be1"));
}

TEST_F(CommandsTest, OneServiceIsShownWithItsHealth) {
  const auto one = [](const Asked&) {
    return Answer{200, R"({"id":"web","health":{"checks":[{"type":"tcp"}],"all_down":"drop"}})"};
  };
  ASSERT_TRUE(answering(one).get_services("web"));
  EXPECT_EQ(line(0), "GET /api/v1/services/web");
  for (const char* part : {"SERVICE ", "\n\nCHECK  TYPE ", "\n\nHEALTH ", "all down       drop\n"}) {
    EXPECT_THAT(out_.str(), HasSubstr(part));
  }
}

TEST_F(CommandsTest, WhatIsTakenBackIsLeftOutOfANewService) {
  ServiceFlags flags;
  flags.vip = "203.0.113.10";
  flags.health.checks = {"none"};
  flags.health.hot = "default";
  auto& commands = answering([](const Asked& asked) {
    return asked.method == "PATCH" ? Answer{404, "{}"} : ok(asked);
  });
  ASSERT_TRUE(commands.set_service("web", flags));
  EXPECT_EQ(Json::parse(server_->asked()[0].body),
            Json::parse(R"({"vip":"203.0.113.10","health":{"checks":null,"hot":null}})"));
  EXPECT_EQ(Json::parse(server_->asked()[1].body),
            Json::parse(R"({"id":"web","vip":"203.0.113.10","health":{}})"));
}

TEST_F(CommandsTest, SetGatewaySendsOnlyWhatIsGivenAndCreatesWhatIsMissing) {
  GatewayFlags flags;
  EXPECT_FALSE(answering(ok).set_gateway("gw1", flags)) << "nothing to set";
  flags.med = 100;
  flags.bfd_profile = "none";
  flags.vips = {"203.0.113.10,med=7,drain=true", "2001:db8::1"};
  ASSERT_TRUE(answering(ok).set_gateway("gw1", flags));
  EXPECT_EQ(line(0), "PATCH /api/v1/gateways/gw1");
  EXPECT_EQ(Json::parse(server_->asked()[0].body), Json::parse(R"({"med":100,"bfd_profile":null,
      "vips":{"203.0.113.10":{"med":7,"drain":true},"2001:db8::1":null}})"));
  ASSERT_TRUE(answering([](const Asked& asked) {
                return asked.method == "PATCH" ? Answer{404, "{}"} : ok(asked);
              }).set_gateway("gw1", flags));
  EXPECT_EQ(line(1), "PUT /api/v1/gateways/gw1");
  EXPECT_EQ(Json::parse(server_->asked()[1].body),
            Json::parse(R"({"med":100,"vips":{"203.0.113.10":{"med":7,"drain":true}}})"));
}

TEST_F(CommandsTest, RefusalListsEveryField) {
  ServiceFlags flags;
  flags.port = "0";
  auto status = answering([](const Asked&) {
                  return Answer{422, kProblem, "application/problem+json"};
                }).set_service("web", flags);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_EQ(
      status.error().message,
      "The document is not valid (HTTP 422)\n  backends[0].weight: must be 0–1000\n  port: must be 1–65535");
}

TEST_F(CommandsTest, ApplyWritesEachServiceAndGoesOnPastARefusedOne) {
  auto& commands = answering([](const Asked& asked) {
    return asked.target.ends_with("/b") ? Answer{422, kProblem} : ok(asked);
  });
  auto status = commands.apply(R"({"services":[{"id":"a"},{"id":"b"},{"id":"c"}]})");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_THAT(status.error().message, HasSubstr("service b: The document is not valid"));
  EXPECT_EQ(line(2), "PUT /api/v1/services/c");
  EXPECT_EQ(out_.str(), "service a applied\nservice c applied\n");
}

TEST_F(CommandsTest, ApplyTakesOneDocumentToo) {
  ASSERT_TRUE(answering(ok).apply(R"({"id":"web","port":80})"));
  EXPECT_EQ(line(0), "PUT /api/v1/services/web");
  EXPECT_EQ(server_->asked()[0].body, R"({"id":"web","port":80})");
}

TEST_F(CommandsTest, ApplyRefusesBadInputBeforeItAsksTheServer) {
  struct Case {
    const char* text;
    const char* says;
  };
  auto& commands = answering(ok);
  for (const Case& c : {Case{"{\n\n{", "line 3"},
                        {"[]", "expected one service"},
                        {R"({"port":80})", "services[0].id"},
                        {R"({"services":{}})", "must be a list"},
                        {R"({"services":[],"x":1})", "only key"},
                        {R"({"services":[{"id":"a"},{"id":1}]})", "services[1].id"},
                        {R"({"id":"a","port":80,"port":81})", "port: the key is given twice"},
                        {"", "not valid JSON"}}) {
    auto status = commands.apply(c.text);
    ASSERT_FALSE(status) << c.text;
    EXPECT_EQ(status.error().code, ErrorCode::kInvalidArgument) << c.text;
    EXPECT_THAT(status.error().text(), HasSubstr(c.says)) << c.text;
  }
  EXPECT_TRUE(server_->asked().empty());
}

TEST_F(CommandsTest, SameKeyInDifferentObjectsIsNoDuplicate) {
  EXPECT_TRUE(answering(ok).apply(R"({"id":"web","backends":[{"id":"be1"},{"id":"be2"}]})"));
}

TEST_F(CommandsTest, AnswerThatIsNoJsonIsUnavailable) {
  auto status = answering([](const Asked&) { return Answer{200, "<html>", "text/html"}; }).get_nodes("");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kUnavailable);
}

TEST_F(CommandsTest, TopPrintsRatesOfTheInterval) {
  int reading = 0;
  auto& commands = answering([&reading](const Asked& asked) -> Answer {
    if (asked.target == "/api/v1/services") {
      return {200, R"({"items":[{"id":"web","backends":[{"id":"be1","weight":1,"drain":false}]}]})"};
    }
    if (asked.target == "/api/v1/gateways") return {200, R"({"items":[{"id":"gw1","connected":true}]})"};
    const int flows = 100 * ++reading;
    return {200,
            R"({"backends":[{"backend":"be1","flows":7}],
            "gateways":[{"gateway":"gw1","backends":[{"backend":"be1","packets":0,"bytes":0,"new_flows":)" +
                std::to_string(flows) + "}]}]}"};
  });
  ASSERT_TRUE(commands.top(0.01, 2, false));
  EXPECT_THAT(out_.str(), HasSubstr("web      be1           1  100.0%  100.0%      7"));
}

}  // namespace
}  // namespace penstock
