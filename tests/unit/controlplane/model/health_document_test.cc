// "health" of a service: what is read, what is refused with which field, what is written.
#include "controlplane/model/health_document.h"

#include <gtest/gtest.h>

#include <string>

#include "controlplane/model/service_document.h"

namespace penstock {
namespace {

using nlohmann::json;

json service_with(const char* health, const char* patch = "{}") {
  json out = json::parse(R"({"id":"web","vip":"203.0.113.10","protocol":"tcp","port":80,
    "backends":[{"id":"be1","address":"10.0.31.2"}]})");
  out.merge_patch(json::parse(patch));
  out["health"] = json::parse(health);
  return out;
}

Health health_of(const char* health, const char* patch = "{}") {
  Problems problems;
  const auto service = parse_service(service_with(health, patch), "", problems);
  EXPECT_TRUE(service) << text(problems);
  return service ? service->health : Health{};
}

std::string repeated(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += (i == 0 ? "" : ",") + text;
  return out;
}

TEST(HealthDocument, AServiceThatSaysNothingHasTheDefaultsAndSaysNothing) {
  for (const char* nothing : {"{}", R"({"checks":[],"hot":{},"breaker":{},"slow_start":{}})"}) {
    EXPECT_EQ(health_of(nothing), Health{});
  }
  Problems problems;
  const auto service = parse_service(service_with("{}"), "", problems);
  EXPECT_FALSE(to_json(*service).contains("health"));
  EXPECT_EQ(to_json(Health{}), json::object());
}

// The example of the interface's description: every member at its default is the default.
TEST(HealthDocument, WhatEqualsTheDefaultIsLeftOut) {
  const Health health = health_of(R"({
      "checks":[{"name":"http","type":"http","path":"/","method":"GET","statuses":"200-299",
                 "interval_ms":1000,"timeout_ms":500,"rise":2,"fall":3}],
      "direct":"auto","rise":2,"fall":3,"hold_ms":2000,"max_hold_ms":60000,"all_down":"use_all","panic_percent":0,
      "hot":{"enabled":true,"response_ms":0,"queue_percent":50,"utilization_percent":90},
      "breaker":{"enabled":true,"failure_percent":0,"latency_factor":10,"probe_loss_percent":60,"open_ms":5000,
                 "half_open_percent":5,"max_open_percent":50},
      "slow_start":{"duration_ms":10000,"initial_percent":10,"exponent":1}})");
  EXPECT_EQ(to_json(health), json::parse(R"({"checks":[{"type":"http"}]})"));
}

// Each differs from the default in every member, so what is written is what was given.
class WholeHealth : public testing::TestWithParam<const char*> {};

TEST_P(WholeHealth, IsWrittenAsItWasGivenAndReadBackTheSame) {
  const json given = json::parse(GetParam());
  const char* patch = given.dump().find("\"udp\"") == std::string::npos ? "{}" : R"({"protocol":"udp"})";
  const Health health = health_of(GetParam(), patch);
  EXPECT_EQ(to_json(health), given);
  EXPECT_EQ(health_of(to_json(health).dump().c_str(), patch), health);
}

INSTANTIATE_TEST_SUITE_P(
    Table, WholeHealth,
    testing::Values(
        R"({"direct":"off","rise":1,"fall":100,"hold_ms":1,"max_hold_ms":3600000,"all_down":"reset","panic_percent":100,
            "hot":{"enabled":false,"response_ms":60000,"queue_percent":100,"utilization_percent":1000},
            "breaker":{"enabled":false,"failure_percent":100,"latency_factor":2,"probe_loss_percent":1,"open_ms":100,
                       "half_open_percent":100,"max_open_percent":1},
            "slow_start":{"duration_ms":0,"initial_percent":100,"exponent":0.1}})",
        R"({"direct":"always","all_down":"drop","slow_start":{"exponent":2.5}})",
        R"({"checks":[{"type":"https","name":"front","port":8443,"path":"/a?b=c","host":"www.example.com","method":"HEAD",
            "statuses":"200-299,301","headers":{"X-Role":"primary","X-Any":""},"verify_tls":true,"interval_ms":50,
            "timeout_ms":10,"rise":100,"fall":1}]})",
        R"({"checks":[{"type":"http","body_contains":"ok\nänd more"},{"type":"http","name":"http-2"},{"type":"tcp","port":1}]})",
        R"({"checks":[{"type":"grpc","grpc_service":"a.b.C","host":"x"},{"type":"script","script":"check_db.sh"}]})",
        R"({"checks":[{"type":"udp","send":"00ff","expect":"0a","port":53}]})",
        R"({"checks":[{"type":"tcp","interval_ms":100},{"type":"tcp","name":"slow","interval_ms":3600000,"timeout_ms":60000}]})"));

TEST(HealthDocument, NamesAreUniqueByThemselves) {
  const Health health = health_of(R"({"checks":[{"type":"tcp","name":"http"},{"type":"http"},{"type":"http"},
      {"type":"http","name":"http-3"},{"type":"tcp"}]})");
  std::vector<std::string> names;
  for (const Check& check : health.checks) names.push_back(check.name);
  EXPECT_EQ(names, (std::vector<std::string>{"http", "http-2", "http-4", "http-3", "tcp"}));
  EXPECT_EQ(health_of(to_json(health).dump().c_str()), health);
}

TEST(HealthDocument, TheLongestHoldThatNobodyGaveIsAtLeastTheHold) {
  EXPECT_EQ(health_of(R"({"hold_ms":90000})").max_hold_ms, 90'000u);
  EXPECT_EQ(to_json(health_of(R"({"hold_ms":90000})")), json::parse(R"({"hold_ms":90000})"));
  EXPECT_EQ(to_json(health_of(R"({"hold_ms":90000,"max_hold_ms":90001})"))["max_hold_ms"], 90'001);
  EXPECT_EQ(health_of(R"({"hold_ms":59999})").max_hold_ms, 60'000u);
}

TEST(HealthDocument, ATimeoutThatNobodyGaveFitsItsInterval) {
  EXPECT_EQ(health_of(R"({"checks":[{"type":"tcp","interval_ms":100}]})").checks[0].timeout_ms, 100u);
  EXPECT_EQ(health_of(R"({"checks":[{"type":"tcp","interval_ms":5000}]})").checks[0].timeout_ms, 500u);
}

TEST(HealthDocument, ABackendInMaintenanceSaysSoAndOthersSayNothing) {
  json document = service_with("{}");
  document["backends"][0]["maintenance"] = true;
  document["backends"].push_back({{"id", "be2"}, {"address", "10.0.31.3"}, {"maintenance", false}});
  Problems problems;
  const auto service = parse_service(document, "", problems);
  ASSERT_TRUE(service) << text(problems);
  EXPECT_TRUE(service->backends[0].maintenance);
  EXPECT_FALSE(service->backends[1].maintenance);
  const json written = to_json(*service);
  EXPECT_EQ(written["backends"][0]["maintenance"], true);
  EXPECT_FALSE(written["backends"][1].contains("maintenance"));
  EXPECT_EQ(*parse_service(written, "", problems), *service);
  document["backends"][0]["maintenance"] = 1;
  EXPECT_FALSE(parse_service(document, "", problems));
  EXPECT_EQ(problems, (Problems{{"backends[0].maintenance", "must be true or false"}}));
}

struct BadHealth {
  const char* name;
  const char* health;
  Problems problems;           // below "health"
  const char* service = "{}";  // merged into the valid one
};

class RefusedHealth : public testing::TestWithParam<BadHealth> {};

TEST_P(RefusedHealth, NamesTheField) {
  Problems problems;
  EXPECT_FALSE(parse_service(service_with(GetParam().health, GetParam().service), "services[3]", problems));
  Problems expected = GetParam().problems;
  for (Problem& problem : expected) {
    problem.field =
        problem.field.empty() ? "services[3].health" : field_path("services[3].health", problem.field);
  }
  EXPECT_EQ(problems, expected) << text(problems);
}

constexpr const char* kHealthKeys =
    "unknown key (known: all_down, breaker, checks, direct, fall, hold_ms, hot, max_hold_ms, panic_percent, "
    "rise, slow_start)";
constexpr const char* kCheckKeys =
    "unknown key (known: body_contains, expect, fall, grpc_service, headers, host, interval_ms, method, "
    "name, "
    "path, port, rise, script, send, statuses, timeout_ms, type, verify_tls)";
constexpr const char* kWordRule = "must be at most 1024 ASCII characters, without blanks";
constexpr const char* kStatusRule =
    "must be at most 16 codes or ranges from 100 to 599, such as \"200-299,301\"";
constexpr const char* kHexRule = "must be at most 512 octets, each as two hexadecimal digits";
constexpr const char* kScriptRule =
    "must be the name of a file in the folder of check scripts: no path, no blanks, and not beginning with a "
    "dot or a hyphen";
constexpr const char* kAlwaysRule = "always needs a check that gateways can do: one of type tcp, http or udp";

INSTANTIATE_TEST_SUITE_P(
    Rules, RefusedHealth,
    testing::Values(
        BadHealth{"AList", "[]", {{"", "must be a JSON object, not array"}}},
        BadHealth{"UnknownKey", R"({"check":[]})", {{"check", kHealthKeys}}},
        BadHealth{"ChecksAnObject", R"({"checks":{}})", {{"checks", "must be a list, not object"}}},
        BadHealth{"DirectUnknown", R"({"direct":"on"})", {{"direct", "must be auto, off or always"}}},
        BadHealth{"RiseAndFall",
                  R"({"rise":0,"fall":101})",
                  {{"rise", "must be 1–100"}, {"fall", "must be 1–100"}}},
        BadHealth{"Hold",
                  R"({"hold_ms":0,"max_hold_ms":3600001})",
                  {{"hold_ms", "must be 1–3600000"}, {"max_hold_ms", "must be 1–3600000"}}},
        BadHealth{"HoldBeyondTheLongest",
                  R"({"hold_ms":9000,"max_hold_ms":8999})",
                  {{"max_hold_ms", "must be at least hold_ms"}}},
        BadHealth{
            "AllDownUnknown", R"({"all_down":"panic"})", {{"all_down", "must be use_all, reset or drop"}}},
        BadHealth{"Panic", R"({"panic_percent":101})", {{"panic_percent", "must be 0–100"}}},
        BadHealth{"PanicNegative", R"({"panic_percent":-1})", {{"panic_percent", "must be 0–100"}}},
        BadHealth{
            "Hot",
            R"({"hot":{"enabled":"no","response_ms":60001,"queue_percent":0,"utilization_percent":1001,"x":1}})",
            {{"hot.enabled", "must be true or false"},
             {"hot.response_ms", "must be 0–60000"},
             {"hot.queue_percent", "must be 1–100"},
             {"hot.utilization_percent", "must be 1–1000"},
             {"hot.x", "unknown key (known: enabled, queue_percent, response_ms, utilization_percent)"}}},
        BadHealth{"Breaker",
                  R"({"breaker":{"failure_percent":101,"latency_factor":1,"probe_loss_percent":0,"open_ms":99,
                      "half_open_percent":0,"max_open_percent":101,"off":true}})",
                  {{"breaker.failure_percent", "must be 0–100"},
                   {"breaker.latency_factor", "must be 2–1000"},
                   {"breaker.probe_loss_percent", "must be 1–100"},
                   {"breaker.open_ms", "must be 100–3600000"},
                   {"breaker.half_open_percent", "must be 1–100"},
                   {"breaker.max_open_percent", "must be 1–100"},
                   {"breaker.off",
                    "unknown key (known: enabled, failure_percent, half_open_percent, latency_factor, "
                    "max_open_percent, open_ms, probe_loss_percent)"}}},
        BadHealth{"SlowStart",
                  R"({"slow_start":{"duration_ms":3600001,"initial_percent":0,"exponent":0.05,"curve":1}})",
                  {{"slow_start.duration_ms", "must be 0–3600000"},
                   {"slow_start.initial_percent", "must be 1–100"},
                   {"slow_start.exponent", "must be 0.1–10.0"},
                   {"slow_start.curve", "unknown key (known: duration_ms, exponent, initial_percent)"}}},
        BadHealth{"ExponentAText",
                  R"({"slow_start":{"exponent":"2"}})",
                  {{"slow_start.exponent", "must be a number, 0.1–10.0"}}},
        BadHealth{
            "DirectOfUdp", R"({"direct":"always"})", {{"direct", kAlwaysRule}}, R"({"protocol":"udp"})"},
        BadHealth{"DirectOfWhatGatewaysCannotDo",
                  R"({"direct":"always","checks":[{"type":"grpc","port":1},
                      {"type":"script","script":"a"},{"type":"https","port":2}]})",
                  {{"direct", kAlwaysRule}},
                  R"({"protocol":"sctp"})"},
        BadHealth{
            "DirectOfEveryPort", R"({"direct":"always"})", {{"direct", kAlwaysRule}}, R"({"port":"*"})"}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Checks, RefusedHealth,
    testing::Values(
        BadHealth{"NoObject", R"({"checks":["tcp"]})", {{"checks[0]", "must be a JSON object, not string"}}},
        BadHealth{"NoType", R"({"checks":[{}]})", {{"checks[0].type", "missing"}}},
        BadHealth{"TypeUnknown",
                  R"({"checks":[{"type":"icmp"}]})",
                  {{"checks[0].type", "must be tcp, http, https, grpc, udp or script"}}},
        BadHealth{"UnknownMember",
                  R"({"checks":[{"type":"tcp","interval":"1s"}]})",
                  {{"checks[0].interval", kCheckKeys}}},
        BadHealth{"Name",
                  R"({"checks":[{"type":"tcp","name":""},{"type":"tcp","name":"A b"}]})",
                  {{"checks[0].name", "must be 1–63 characters a–z, 0–9 and inner hyphens"},
                   {"checks[1].name", "must be 1–63 characters a–z, 0–9 and inner hyphens"}}},
        BadHealth{"NameTwice",
                  R"({"checks":[{"type":"tcp","name":"a"},{"type":"http","name":"a"}]})",
                  {{"checks[1].name", "'a' is also the name of another check"}}},
        BadHealth{"Port",
                  R"({"checks":[{"type":"tcp","port":0},{"type":"tcp","port":65536}]})",
                  {{"checks[0].port", "must be 1–65535"}, {"checks[1].port", "must be 1–65535"}}},
        BadHealth{"Times",
                  R"({"checks":[{"type":"tcp","interval_ms":49,"timeout_ms":9,"rise":0,"fall":101}]})",
                  {{"checks[0].interval_ms", "must be 50–3600000"},
                   {"checks[0].timeout_ms", "must be 10–60000"},
                   {"checks[0].rise", "must be 1–100"},
                   {"checks[0].fall", "must be 1–100"}}},
        BadHealth{"TimeoutBeyondTheInterval",
                  R"({"checks":[{"type":"tcp","interval_ms":100,"timeout_ms":101}]})",
                  {{"checks[0].timeout_ms", "must be at most interval_ms"}}},
        BadHealth{"PathRelative",
                  R"({"checks":[{"type":"http","path":"healthz"}]})",
                  {{"checks[0].path", "must begin with /"}}},
        BadHealth{"PathEmpty",
                  R"({"checks":[{"type":"http","path":""}]})",
                  {{"checks[0].path", "must begin with /"}}},
        BadHealth{"PathThatEndsTheRequestLine",
                  R"({"checks":[{"type":"http","path":"/ HTTP/1.1\r\nX: y"}]})",
                  {{"checks[0].path", kWordRule}}},
        BadHealth{
            "HostWithBlank", R"({"checks":[{"type":"http","host":"a b"}]})", {{"checks[0].host", kWordRule}}},
        BadHealth{"HostNotAscii",
                  R"({"checks":[{"type":"https","host":"bücher.example"}]})",
                  {{"checks[0].host", kWordRule}}},
        BadHealth{"Method",
                  R"({"checks":[{"type":"http","method":"POST"}]})",
                  {{"checks[0].method", "must be GET or HEAD"}}},
        BadHealth{"BodyOfHead",
                  R"({"checks":[{"type":"http","method":"HEAD","body_contains":"x"}]})",
                  {{"checks[0].body_contains", "needs method GET: the answer to HEAD has no body"}}},
        BadHealth{"StatusesBackwards",
                  R"({"checks":[{"type":"http","statuses":"299-200"}]})",
                  {{"checks[0].statuses", kStatusRule}}},
        BadHealth{"StatusesTooFar",
                  R"({"checks":[{"type":"http","statuses":"200-600"}]})",
                  {{"checks[0].statuses", kStatusRule}}},
        BadHealth{"StatusesTooLow",
                  R"({"checks":[{"type":"http","statuses":"099"}]})",
                  {{"checks[0].statuses", kStatusRule}}},
        BadHealth{"StatusesEmpty",
                  R"({"checks":[{"type":"http","statuses":""}]})",
                  {{"checks[0].statuses", kStatusRule}}},
        BadHealth{"StatusesOpen",
                  R"({"checks":[{"type":"http","statuses":"200-"}]})",
                  {{"checks[0].statuses", kStatusRule}}},
        BadHealth{"StatusesWithABlank",
                  R"({"checks":[{"type":"http","statuses":"200, 301"}]})",
                  {{"checks[0].statuses", kStatusRule}}},
        BadHealth{"StatusesEndingInAComma",
                  R"({"checks":[{"type":"http","statuses":"200,"}]})",
                  {{"checks[0].statuses", kStatusRule}}},
        BadHealth{"StatusesANumber",
                  R"({"checks":[{"type":"http","statuses":200}]})",
                  {{"checks[0].statuses", "must be a string, not number"}}},
        BadHealth{
            "HeadersAList",
            R"({"checks":[{"type":"http","headers":["X-Role"]}]})",
            {{"checks[0].headers", "must be an object of at most 16 names and what their values contain"}}},
        BadHealth{"HeaderName",
                  R"({"checks":[{"type":"http","headers":{"X Role":"a"}}]})",
                  {{"checks[0].headers", "has a name that no header can have"}}},
        BadHealth{"HeaderValue",
                  R"({"checks":[{"type":"http","headers":{"X-A":1,"X-B":"a\r\nb"}}]})",
                  {{"checks[0].headers[X-A]", "must be one line of at most 1024 characters"},
                   {"checks[0].headers[X-B]", "must be one line of at most 1024 characters"}}},
        BadHealth{"SendNoHex",
                  R"({"checks":[{"type":"udp","send":"0","expect":"0x"}]})",
                  {{"checks[0].send", kHexRule}, {"checks[0].expect", kHexRule}},
                  R"({"protocol":"udp"})"},
        BadHealth{"ScriptMissing", R"({"checks":[{"type":"script"}]})", {{"checks[0].script", "missing"}}},
        BadHealth{"ScriptAPath",
                  R"({"checks":[{"type":"script","script":"bin/check"}]})",
                  {{"checks[0].script", kScriptRule}}},
        BadHealth{"ScriptTheFolderAbove",
                  R"({"checks":[{"type":"script","script":".."}]})",
                  {{"checks[0].script", kScriptRule}}},
        BadHealth{"ScriptAnOption",
                  R"({"checks":[{"type":"script","script":"-x"}]})",
                  {{"checks[0].script", kScriptRule}}},
        BadHealth{"ScriptWithNul",
                  R"({"checks":[{"type":"script","script":"a\u0000b"}]})",
                  {{"checks[0].script", kScriptRule}}},
        BadHealth{"ScriptEmpty",
                  R"({"checks":[{"type":"script","script":""}]})",
                  {{"checks[0].script", kScriptRule}}},
        BadHealth{
            "OptionsOfOtherTypes",
            R"({"checks":[{"type":"tcp","path":"/","host":"x","statuses":"200","headers":{},"verify_tls":true,
                      "grpc_service":"s","send":"00","script":"a"},{"type":"http","verify_tls":false}]})",
            {{"checks[0].path", "needs type http or https"},
             {"checks[0].statuses", "needs type http or https"},
             {"checks[0].headers", "needs type http or https"},
             {"checks[0].host", "needs type http, https or grpc"},
             {"checks[0].verify_tls", "needs type https"},
             {"checks[0].grpc_service", "needs type grpc"},
             {"checks[0].send", "needs type udp"},
             {"checks[0].script", "needs type script"},
             {"checks[1].verify_tls", "needs type https"}}},
        BadHealth{"UdpOfTcp",
                  R"({"checks":[{"type":"udp","port":53}]})",
                  {{"checks[0].type", "udp needs a service of protocol udp or any"}}},
        BadHealth{"TcpOfUdpWithoutAPort",
                  R"({"checks":[{"type":"tcp","port":9},{"type":"http"}]})",
                  {{"checks[1].port", "missing: the check speaks TCP, and the service udp"}},
                  R"({"protocol":"udp"})"},
        BadHealth{"EveryPort",
                  R"({"checks":[{"type":"tcp"},{"type":"tcp","port":80},{"type":"script","script":"a"}]})",
                  {{"checks[0].port", "missing: the service takes every port, the check needs one"}},
                  R"({"port":"*"})"}),
    [](const auto& test) { return test.param.name; });

TEST(HealthDocument, SizesAreBounded) {
  const auto refused = [](const std::string& health) {
    Problems problems;
    EXPECT_FALSE(
        parse_service(service_with(health.c_str(), R"({"protocol":"any","port":"*"})"), "", problems));
    return problems;
  };
  const auto checks = [](const std::string& list) { return R"({"checks":[)" + list + "]}"; };
  EXPECT_EQ(refused(checks(repeated(R"({"type":"tcp","port":1})", 9))),
            (Problems{{"health.checks", "must be at most 8"}}));
  EXPECT_EQ(health_of(checks(repeated(R"({"type":"tcp"})", 8)).c_str()).checks.size(), 8u);

  const auto http = [&](const std::string& member) {
    return checks(R"({"type":"http","port":1,)" + member + "}");
  };
  const std::string most(kMaxCheckText - 1, 'a');
  EXPECT_EQ(refused(http(R"("path":"/a)" + most + "\"")), (Problems{{"health.checks[0].path", kWordRule}}));
  EXPECT_EQ(health_of(http(R"("path":"/)" + most + "\"").c_str()).checks[0].path.size(), kMaxCheckText);
  EXPECT_EQ(refused(http(R"("body_contains":"aa)" + most + "\"")),
            (Problems{{"health.checks[0].body_contains", "must be at most 1024 octets"}}));
  EXPECT_EQ(refused(http(R"("headers":{"X":"aa)" + most + "\"}")),
            (Problems{{"health.checks[0].headers[X]", "must be one line of at most 1024 characters"}}));
  EXPECT_EQ(refused(http(R"("statuses":")" + repeated("200", 17) + "\"")),
            (Problems{{"health.checks[0].statuses", kStatusRule}}));
  EXPECT_EQ(health_of(http(R"("statuses":")" + repeated("200", 16) + "\"").c_str()).checks[0].statuses.size(),
            16u);
  EXPECT_EQ(refused(checks(R"({"type":"udp","port":1,"send":")" + std::string(1026, '0') + "\"}")),
            (Problems{{"health.checks[0].send", kHexRule}}));
  EXPECT_EQ(refused(checks(R"({"type":"script","script":")" + std::string(256, 'a') + "\"}")),
            (Problems{{"health.checks[0].script", kScriptRule}}));
}

// Gateways connect by themselves where there is one TCP port, and need a check that says where elsewhere.
TEST(HealthDocument, AlwaysDirectIsFineWhereGatewaysHaveSomethingToDo) {
  for (const auto& [health, patch] :
       {std::pair(R"({"direct":"always"})", "{}"),
        std::pair(R"({"direct":"always","checks":[{"type":"https"}]})", R"({"port":"8000-8999"})"),
        std::pair(R"({"direct":"always","checks":[{"type":"udp"}]})", R"({"protocol":"udp"})"),
        std::pair(R"({"direct":"always","checks":[{"type":"http","port":8080}]})",
                  R"({"protocol":"any","port":"*"})")}) {
    EXPECT_EQ(health_of(health, patch).direct, DirectChecks::kAlways) << health;
  }
}

}  // namespace
}  // namespace penstock
