#include "controlplane/ctl/live_health.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "controlplane/ctl/commands.h"
#include "fake_rest.h"

namespace penstock {
namespace {

using ::testing::HasSubstr;

constexpr const char* kService = R"({"service":"web","generation":3,"all_down":[],"backends":[
  {"backend":"be1","maintenance":false,"verdict":"dead","reason":"no_listener","since_seconds_ago":3.2,
   "breaker":"closed","hot":[],"admitted_percent":0,"load":{"age_ms":20,"cpu_utilization":0.031},
   "node":{"id":"n1","state":"up"},"gateways":[],
   "checks":[{"name":"http","state":"failing","detail":"status 503"},{"name":"tcp","state":"passing"}]},
  {"backend":"be2","maintenance":false,"verdict":"alive","reason":null,"since_seconds_ago":4000,
   "breaker":"open","hot":["late","busy"],"admitted_percent":37,
   "load":{"response_p99_us":51000,"cpu_utilization":0.75},"node":{"id":"n2","state":"agent_lost"},
   "gateways":[{"gateway":"gw1","connected":true,"reason":"breaker"},{"gateway":"gw2","connected":true,
     "reason":"none"},{"gateway":"gw3","connected":true,"reason":"breaker"}],
   "checks":[{"name":"http","state":"passing"}]},
  {"backend":"be3","maintenance":true,"verdict":"unknown","reason":null,"since_seconds_ago":null,
   "breaker":null,"hot":[],"admitted_percent":null,"load":null,"node":null,"gateways":[],"checks":[]}]})";

TEST(HealthTable, HasARowForEachBackendAndNothingWhereNothingIsKnown) {
  EXPECT_EQ(
      service_health_table(Json::parse(kService)),
      "BACKEND  VERDICT  REASON              SINCE  BREAKER  HOT        ADMITTED     P99  CPU  NODE      "
      "     CHECKS\n"
      "be1      dead     no_listener            3s  closed   -                0%       -   3%  n1 up     "
      "     http failing: status 503\n"
      "be2      alive    breaker at gw1,gw3    66m  open     late,busy       37%  51.0ms  75%  n2 "
      "agent_lost  1 pass\n"
      "be3      unknown  maintenance             -  -        -                 -       -    -  -         "
      "     -\n");
}

TEST(HealthTable, SaysWhereNobodyIsLeft) {
  EXPECT_THAT(service_health_table(Json::parse(R"({"backends":[],"all_down":["gw1","gw2"]})")),
              HasSubstr("no living backend at: gw1,gw2\n"));
}

TEST(HealthTable, UnknownOrOddlyTypedMembersAreNoError) {
  for (const char* document :
       {"{}", "[]", "null", "7", R"({"backends":7})", R"({"backends":[7,{"load":[],"node":3,"checks":{}}]})",
        R"({"backends":[{"hot":1,"gateways":[5],"since_seconds_ago":"x"}],"all_down":{"a":1}})"}) {
    EXPECT_THAT(service_health_table(Json::parse(document)), HasSubstr("BACKEND")) << document;
    EXPECT_THAT(health_overview(Json::parse(document)), HasSubstr("SERVICE")) << document;
  }
}

TEST(HealthTable, TheOverviewShowsWhatIsNotWellAndTheLastEvents) {
  Json document =
      Json::parse(R"({"services":[{"service":"web","backends":3,"alive":2,"dead":1,"maintenance":0,
    "all_down":["gw1"]}],"nodes_not_up":[{"node":"n1","state":"path_lost","since_seconds_ago":90}],"events":[]})");
  EXPECT_EQ(health_overview(document),
            "SERVICE  BACKENDS  ALIVE  DEAD  MAINTENANCE  ALL DOWN AT\n"
            "web             3      2     1            0  gw1\n"
            "\n"
            "NODE  STATE      SINCE\n"
            "n1    path_lost    90s\n");
  for (int i = 0; i < 12; ++i) {
    document["events"].push_back({{"time", "2026-11-28T10:00:00Z"},
                                  {"kind", "backend"},
                                  {"object", "web/be" + std::to_string(i)},
                                  {"from", "alive"},
                                  {"to", "dead"},
                                  {"reason", "silent"}});
  }
  const std::string text = health_overview(document);
  EXPECT_THAT(text, HasSubstr("backend web/be11  alive  dead  silent\n"));
  EXPECT_THAT(text, testing::Not(HasSubstr("web/be1 "))) << "the last ten";
}

TEST(HealthTable, TimesAreShort) {
  EXPECT_EQ(short_time(820), "820us");
  EXPECT_EQ(short_time(51'000), "51.0ms");
  EXPECT_EQ(short_time(250'000), "250ms");
  EXPECT_EQ(short_time(1'250'000), "1.25s");
}

TEST(HealthCommand, AsksOnceOrAsOftenAsItIsTold) {
  test::FakeRest rest([](const test::Asked& asked) {
    return test::Answer{.body = asked.target == "/api/v1/health" ? R"({"services":[]})" : kService};
  });
  std::ostringstream out;
  Commands commands(RestClient(*HttpClient::from_url(rest.url())), false, out, out);
  ASSERT_TRUE(commands.health("web", 0.01, 2, false));
  ASSERT_TRUE(commands.health("", 1, 1, false));
  ASSERT_EQ(rest.asked().size(), 3u);
  EXPECT_EQ(rest.asked()[0].target, "/api/v1/services/web/health");
  EXPECT_EQ(rest.asked()[2].target, "/api/v1/health");
  std::ostringstream json;
  Commands machine(RestClient(*HttpClient::from_url(rest.url())), true, json, json);
  ASSERT_TRUE(machine.health("web", 1, 1, false));
  EXPECT_EQ(Json::parse(json.str())["backends"].size(), 3u);
}

}  // namespace
}  // namespace penstock
