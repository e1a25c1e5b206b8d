// What is typed of a service's health, and how a service's health is shown.
#include "controlplane/ctl/health_flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controlplane/ctl/durations.h"
#include "controlplane/ctl/health_tables.h"
#include "controlplane/ctl/service_flags.h"

namespace penstock {
namespace {

using ::testing::HasSubstr;

TEST(Durations, OfHealthHaveAUnit) {
  for (const auto& [text, milliseconds] :
       {std::pair("20ms", 20u), std::pair("2s", 2000u), std::pair("10m", 600'000u),
        std::pair("1h", 3'600'000u), std::pair("0", 0u), std::pair("0s", 0u)}) {
    const auto parsed = milliseconds_from_text("--hold", text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(*parsed, milliseconds);
  }
  for (const char* text : {"", "2", "s", "1.5s", "-1s", "2 s", "1d", "2sec", "99999999h"}) {
    const auto refused = milliseconds_from_text("--hold", text);
    ASSERT_FALSE(refused) << text;
    EXPECT_EQ(refused.error().field, "--hold");
  }
  for (const auto& [milliseconds, text] :
       {std::pair(0u, "0s"), std::pair(1500u, "1500ms"), std::pair(2000u, "2s"), std::pair(90'000u, "90s"),
        std::pair(600'000u, "10m"), std::pair(7'200'000u, "2h")}) {
    EXPECT_EQ(text_of_milliseconds(milliseconds), text);
    EXPECT_EQ(*milliseconds_from_text("", text), milliseconds);
  }
}

TEST(CheckFromText, TakesEveryKeyUnderItsDocumentsName) {
  auto check = check_from_text(
      "type=http,name=front,port=8080,path=/"
      "healthz?a=b,header=X-Role:primary,host=x,method=HEAD,statuses=200-299+301,"
      "body=ok,header=X-Any,verify_tls=true,grpc_service=s,send=00,expect=ff,script=db,interval=1s,timeout="
      "500ms,rise=2,fall=3");
  ASSERT_TRUE(check) << check.error().text();
  EXPECT_EQ(nlohmann::json(*check), nlohmann::json::parse(R"({"type":"http","name":"front","port":8080,
      "path":"/healthz?a=b","host":"x","method":"HEAD","statuses":"200-299,301","body_contains":"ok","verify_tls":true,
      "grpc_service":"s","send":"00","expect":"ff","script":"db","interval_ms":1000,"timeout_ms":500,"rise":2,"fall":3,
      "headers":{"X-Role":"primary","X-Any":""}})"));
}

TEST(CheckFromText, SaysWhatIsWrong) {
  for (const auto& [text, says] :
       {std::pair("port=80", "has no type="), std::pair("", "has no type="),
        std::pair("http", "'http' is not one of type="), std::pair("type=http,pth=/", "'pth=/'"),
        std::pair("type=http,interval=1", "--check interval"),
        std::pair("type=tcp,port=http", "whole number"), std::pair("type=tcp,type=udp", "twice"),
        std::pair("type=http,header=", "NAME:VALUE"), std::pair("type=http,header=:x", "NAME:VALUE"),
        std::pair("type=http,header=A:1,header=A:2", "A is given twice")}) {
    const auto refused = check_from_text(text);
    ASSERT_FALSE(refused) << text;
    EXPECT_THAT(refused.error().text(), HasSubstr(says)) << text;
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST(HealthFlags, OnlyWhatIsGivenIsInThePatch) {
  HealthFlags flags;
  EXPECT_EQ(*to_json(flags), Json::object());
  flags.checks = {"type=tcp", "type=http,path=/x"};
  flags.direct = "off";
  flags.rise = 1;
  flags.fall = 4;
  flags.hold = "2s";
  flags.max_hold = "60s";
  flags.all_down = "reset";
  flags.panic_percent = 30;
  flags.hot = "response=20ms,queue=50,utilization=90";
  flags.breaker = "failure=30,latency-factor=10,probe-loss=60,open=5s,half-open=5,max-open=50";
  flags.slow_start = "10s,initial=10,exponent=1.5";
  EXPECT_EQ(*to_json(flags),
            Json::parse(R"({"checks":[{"type":"tcp"},{"type":"http","path":"/x"}],"direct":"off",
      "rise":1,"fall":4,"hold_ms":2000,"max_hold_ms":60000,"all_down":"reset","panic_percent":30,
      "hot":{"response_ms":20,"queue_percent":50,"utilization_percent":90,"enabled":true},
      "breaker":{"failure_percent":30,"latency_factor":10,"probe_loss_percent":60,"open_ms":5000,"half_open_percent":5,
                 "max_open_percent":50,"enabled":true},
      "slow_start":{"duration_ms":10000,"initial_percent":10,"exponent":1.5}})"));
}

TEST(HealthFlags, ARuleIsTurnedOffTurnedBackOrChangedInPart) {
  HealthFlags flags;
  flags.hot = flags.breaker = flags.slow_start = "off";
  EXPECT_EQ(
      *to_json(flags),
      Json::parse(R"({"hot":{"enabled":false},"breaker":{"enabled":false},"slow_start":{"duration_ms":0}})"));
  flags.hot = flags.breaker = flags.slow_start = "default";
  EXPECT_EQ(*to_json(flags), Json::parse(R"({"hot":null,"breaker":null,"slow_start":null})"));
  flags.hot = "queue=70";
  flags.breaker = "open=0s";
  flags.slow_start = "initial=20";
  EXPECT_EQ(*to_json(flags), Json::parse(R"({"hot":{"queue_percent":70,"enabled":true},
      "breaker":{"open_ms":0,"enabled":true},"slow_start":{"initial_percent":20}})"));
  HealthFlags cleared;
  cleared.checks = {"none"};
  EXPECT_EQ(*to_json(cleared), Json::parse(R"({"checks":null})"));
}

TEST(HealthFlags, SayWhatIsWrong) {
  const auto refusal = [](auto member, const std::string& text) {
    HealthFlags flags;
    flags.*member = text;
    const auto refused = to_json(flags);
    return refused ? "taken" : refused.error().text();
  };
  EXPECT_THAT(refusal(&HealthFlags::hold, "2"), HasSubstr("--hold: '2' is no duration"));
  EXPECT_THAT(refusal(&HealthFlags::max_hold, "x"), HasSubstr("--max-hold"));
  EXPECT_THAT(refusal(&HealthFlags::hot, "on"), HasSubstr("'on' is not one of response="));
  EXPECT_THAT(refusal(&HealthFlags::hot, "queue=half"), HasSubstr("--hot queue"));
  EXPECT_THAT(refusal(&HealthFlags::breaker, "latency_factor=10"), HasSubstr("latency-factor="));
  EXPECT_THAT(refusal(&HealthFlags::slow_start, "10"), HasSubstr("--slow-start duration"));
  for (const char* exponent : {"exponent=inf", "exponent=nan", "exponent=", "exponent=1x", "exponent=1e5"}) {
    EXPECT_THAT(refusal(&HealthFlags::slow_start, exponent), HasSubstr("is not a number")) << exponent;
  }
  HealthFlags both;
  both.checks = {"none", "type=tcp"};
  EXPECT_FALSE(to_json(both)) << "none is no check beside others";
}

TEST(ServiceFlags, HealthIsAMemberOfTheService) {
  ServiceFlags flags;
  flags.health.hold = "5s";
  EXPECT_EQ(*to_json(flags), Json::parse(R"({"health":{"hold_ms":5000}})"));
  flags.health.checks = {"type"};
  EXPECT_FALSE(to_json(flags));
}

TEST(BackendFlags, MaintenanceIsAMember) {
  BackendFlags flags;
  flags.maintenance = true;
  EXPECT_EQ(*to_json(flags), Json::parse(R"({"maintenance":true})"));
  EXPECT_EQ((*backend_from_text("id=a,address=10.0.0.1,maintenance=true"))["maintenance"], true);
}

TEST(HealthTables, ShowTheRulesWithTheirDefaults) {
  EXPECT_EQ(checks_table(Json::parse("{}")), "");
  EXPECT_EQ(health_table(Json::parse("{}")),
            "HEALTH         RULE\n"
            "probes         down after 3 lost, back after 2 answered\n"
            "held down      2s, doubled while it falls again, up to 1m\n"
            "all down       use_all\n"
            "direct checks  auto\n"
            "hot            response p99 by history, queue over 50%, utilization over 90%\n"
            "breaker        failures by history, latency 10 times the usual, probe loss over 60%; open for "
            "5s, then 5% of "
            "its flows; at most 50% of the backends\n"
            "slow start     from 10% to all in 10s, linear\n");
}

TEST(HealthTables, ShowWhatTheServiceSays) {
  const Json service = Json::parse(R"({"health":{"checks":[
      {"type":"http","path":"/healthz","port":8080,"host":"x","statuses":"200","body_contains":"o\"k",
       "headers":{"X-Role":"primary","X-Any":""},"interval_ms":100},
      {"type":"script","script":"db","name":"database","timeout_ms":900,"rise":1,"fall":5},{"type":"tcp"},
      {"type":"udp","port":53,"send":"00","expect":"ff"}],
      "all_down":"reset","panic_percent":30,"direct":"off","fall":1,"hold_ms":500,
      "hot":{"response_ms":20},"breaker":{"enabled":false},"slow_start":{"duration_ms":0}}})");
  EXPECT_EQ(
      checks_table(service),
      "CHECK     TYPE    EVERY  TIMEOUT  RISE  FALL  ASKS\n"
      "http      http    100ms    100ms     2     3  GET x:8080/healthz: 200, body with \"o\\\"k\", X-Role: "
      "primary, X-Any\n"
      "database  script     1s    900ms     1     5  db\n"
      "tcp       tcp        1s    500ms     2     3  -\n"
      "udp       udp        1s    500ms     2     3  :53 send 00 expect ff\n");
  const std::string rules = health_table(service);
  for (const char* line : {"probes         down after 1 lost, back after 2 answered\n",
                           "all down       reset; all count as alive when fewer than 30% are\n",
                           "hot            response p99 over 20ms, ", "breaker        off\n",
                           "slow start     off\n", "direct checks  off\n", "held down      500ms, "}) {
    EXPECT_THAT(rules, HasSubstr(line));
  }
}

TEST(HealthTables, UnknownOrMissingMembersAreNoError) {
  for (const char* text :
       {"null", "[]", R"({"health":[]})", R"({"health":{"checks":{}}})",
        R"({"health":{"checks":[null,7,{}]}})",
        R"({"health":{"checks":[{"type":"http","headers":[],"path":1}],"hot":1,"breaker":{"open_ms":"x"},
                               "slow_start":{"exponent":"2"}}})"}) {
    const Json service = Json::parse(text);
    EXPECT_NO_THROW((void)checks_table(service)) << text;
    EXPECT_FALSE(health_table(service).empty());
  }
}

}  // namespace
}  // namespace penstock
