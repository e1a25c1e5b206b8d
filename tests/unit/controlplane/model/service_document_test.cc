#include "controlplane/model/service_document.h"

#include <gtest/gtest.h>

#include <string>

#include "controlplane/model/strict_json.h"

namespace penstock {
namespace {

using nlohmann::json;

json valid_service() {
  return json::parse(R"({"id":"web","vip":"203.0.113.10","protocol":"tcp","port":80,
    "backends":[{"id":"be1","address":"10.0.31.2"},{"id":"be2","address":"2001:db8::2","weight":0,"drain":true}]})");
}

TEST(ServiceDocument, DefaultsAreFilledIn) {
  Problems problems;
  const auto service = parse_service(valid_service(), "", problems);
  ASSERT_TRUE(service) << text(problems);
  EXPECT_EQ(service->encap, Encap::kGue);
  EXPECT_EQ(service->table_size, 0u);
  EXPECT_EQ(service->idle_timeouts, (IdleTimeouts{10, 900, 30, 60}));
  EXPECT_EQ(service->key.text(), "tcp 203.0.113.10:80");
  EXPECT_EQ(service->backends[0], (Backend{"be1", *IpAddr::parse("10.0.31.2"), 1, false}));
  EXPECT_EQ(service->backends[1], (Backend{"be2", *IpAddr::parse("2001:db8::2"), 0, true}));
}

TEST(ServiceDocument, WhatIsWrittenIsReadBackTheSame) {
  Problems problems;
  json document = valid_service();
  document["encap"] = "ipip";
  document["table_size"] = 65537;
  document["protocol"] = "udp";
  document["idle_timeouts"] = {{"udp_seconds", 5}, {"tcp_syn_seconds", 1}};
  const auto service = parse_service(document, "", problems);
  ASSERT_TRUE(service) << text(problems);
  const auto again = parse_service(to_json(*service), "", problems);
  ASSERT_TRUE(again) << text(problems);
  EXPECT_EQ(*again, *service);
}

// `patch` is merged into the valid service; the problems are all that must be reported.
struct BadCase {
  const char* name;
  const char* patch;
  Problems problems;
};

class BadService : public testing::TestWithParam<BadCase> {};

TEST_P(BadService, IsRefusedNamingTheField) {
  json document = valid_service();
  document.merge_patch(json::parse(GetParam().patch));
  Problems problems;
  EXPECT_FALSE(parse_service(document, "services[3]", problems));
  Problems expected = GetParam().problems;
  for (Problem& problem : expected) problem.field = field_path("services[3]", problem.field);
  EXPECT_EQ(problems, expected) << text(problems);
}

constexpr const char* kIdRule = "must be 1–63 characters a–z, 0–9 and inner hyphens";
constexpr const char* kServiceKeys =
    "unknown key (known: backends, encap, id, idle_timeouts, port, protocol, table_size, vip)";

INSTANTIATE_TEST_SUITE_P(
    Table, BadService,
    testing::Values(
        BadCase{"IdMissing", R"({"id":null})", {{"id", "missing"}}},
        BadCase{"IdEmpty", R"({"id":""})", {{"id", kIdRule}}},
        BadCase{"IdUpperCase", R"({"id":"Web"})", {{"id", kIdRule}}},
        BadCase{"IdWithSlash", R"({"id":"a/b"})", {{"id", kIdRule}}},
        BadCase{"IdANumber", R"({"id":7})", {{"id", "must be a string, not number"}}},
        BadCase{"VipMissing", R"({"vip":null})", {{"vip", "missing"}}},
        BadCase{"VipAName", R"({"vip":"www"})", {{"vip", "'www' is not an IPv4 or IPv6 address"}}},
        BadCase{"VipAPrefix",
                R"({"vip":"203.0.113.0/24"})",
                {{"vip", "'203.0.113.0/24' is not an IPv4 or IPv6 address"}}},
        BadCase{
            "VipWithNul", R"({"vip":"203.0.113.10\u0000x"})", {{"vip", "is not an IPv4 or IPv6 address"}}},
        BadCase{"VipMulticast", R"({"vip":"224.0.0.1"})", {{"vip", "'224.0.0.1' is not a unicast address"}}},
        BadCase{"VipLoopback", R"({"vip":"::1"})", {{"vip", "'::1' is not a unicast address"}}},
        BadCase{"VipUnspecified", R"({"vip":"0.0.0.0"})", {{"vip", "'0.0.0.0' is not a unicast address"}}},
        BadCase{"ProtocolMissing", R"({"protocol":null})", {{"protocol", "missing"}}},
        BadCase{"ProtocolUnknown", R"({"protocol":"sctp"})", {{"protocol", "must be tcp or udp"}}},
        BadCase{"PortMissing", R"({"port":null})", {{"port", "missing"}}},
        BadCase{"PortZero", R"({"port":0})", {{"port", "must be 1–65535"}}},
        BadCase{"PortTooLarge", R"({"port":65536})", {{"port", "must be 1–65535"}}},
        BadCase{"PortNegative", R"({"port":-1})", {{"port", "must be 1–65535"}}},
        BadCase{"PortHuge", R"({"port":18446744073709551615})", {{"port", "must be 1–65535"}}},
        BadCase{"PortAString", R"({"port":"80"})", {{"port", "must be a whole number, 1–65535"}}},
        BadCase{"PortAFraction", R"({"port":80.0})", {{"port", "must be a whole number, 1–65535"}}},
        BadCase{"EncapUnknown", R"({"encap":"vxlan"})", {{"encap", "must be gue or ipip"}}},
        BadCase{"EncapWrongType", R"({"encap":[]})", {{"encap", "must be a string, not array"}}},
        BadCase{"TableSizeNotPrime",
                R"({"table_size":65536})",
                {{"table_size", "must be 0 or a prime of at least the number of backends (2)"}}},
        BadCase{
            "TableSizeTooSmall",
            R"({"table_size":2,"backends":[{"id":"a","address":"10.0.0.1"},{"id":"b","address":"10.0.0.2"},
                   {"id":"c","address":"10.0.0.3"}]})",
            {{"table_size", "must be 0 or a prime of at least the number of backends (3)"}}},
        BadCase{"TimeoutZero",
                R"({"idle_timeouts":{"udp_seconds":0}})",
                {{"idle_timeouts.udp_seconds", "must be 1–86400"}}},
        BadCase{"TimeoutUnknown",
                R"({"idle_timeouts":{"sctp_seconds":1}})",
                {{"idle_timeouts.sctp_seconds",
                  "unknown key (known: tcp_closing_seconds, tcp_established_seconds, tcp_syn_seconds, "
                  "udp_seconds)"}}},
        BadCase{"TimeoutsAList",
                R"({"idle_timeouts":[]})",
                {{"idle_timeouts", "must be a JSON object, not array"}}},
        BadCase{"BackendsMissing", R"({"backends":null})", {{"backends", "missing"}}},
        BadCase{"BackendsEmpty", R"({"backends":[]})", {{"backends", "must not be empty"}}},
        BadCase{"BackendsAnObject", R"({"backends":{}})", {{"backends", "must be a list, not object"}}},
        BadCase{"BackendAString",
                R"({"backends":["be1"]})",
                {{"backends[0]", "must be a JSON object, not string"}}},
        BadCase{"WeightTooLarge",
                R"({"backends":[{"id":"a","address":"10.0.0.1","weight":1001}]})",
                {{"backends[0].weight", "must be 0–1000"}}},
        BadCase{"WeightNegative",
                R"({"backends":[{"id":"a","address":"10.0.0.1","weight":-1}]})",
                {{"backends[0].weight", "must be 0–1000"}}},
        BadCase{"WeightAString",
                R"({"backends":[{"id":"a","address":"10.0.0.1","weight":"1"}]})",
                {{"backends[0].weight", "must be a whole number, 0–1000"}}},
        BadCase{"DrainANumber",
                R"({"backends":[{"id":"a","address":"10.0.0.1","drain":1}]})",
                {{"backends[0].drain", "must be true or false"}}},
        BadCase{"AddressMissing", R"({"backends":[{"id":"a"}]})", {{"backends[0].address", "missing"}}},
        BadCase{"AddressTwice",
                R"({"backends":[{"id":"a","address":"2001:db8::1"},{"id":"b","address":"2001:DB8:0::1"}]})",
                {{"backends[1].address", "2001:db8::1 is also the address of services[3].backends[0]"}}},
        BadCase{"BackendIdTwice",
                R"({"backends":[{"id":"a","address":"10.0.0.1"},{"id":"a","address":"10.0.0.2"}]})",
                {{"backends[1].id", "'a' is also the id of services[3].backends[0]"}}},
        BadCase{"AddressIsTheVip",
                R"({"backends":[{"id":"a","address":"203.0.113.10"}]})",
                {{"backends[0].address", "203.0.113.10 is the service's own VIP"}}},
        BadCase{"UnknownKey", R"({"vpi":"203.0.113.10"})", {{"vpi", kServiceKeys}}},
        BadCase{"AllProblemsAtOnce",
                R"({"port":0,"encap":"x","backends":[{"id":"A","address":"x","weight":2000}]})",
                {{"port", "must be 1–65535"},
                 {"encap", "must be gue or ipip"},
                 {"backends[0].id", kIdRule},
                 {"backends[0].address", "'x' is not an IPv4 or IPv6 address"},
                 {"backends[0].weight", "must be 0–1000"}}}),
    [](const auto& test) { return test.param.name; });

TEST(ServiceDocument, AValueThatIsNoObjectIsRefusedOnce) {
  for (const char* value : {"[]", "null", "1", "\"web\""}) {
    Problems problems;
    EXPECT_FALSE(parse_service(json::parse(value), "", problems));
    EXPECT_EQ(problems.size(), 1u) << text(problems);
  }
}

TEST(ServiceDocument, TooManyBackendsAreRefused) {
  json document = valid_service();
  document["backends"] = json::array();
  for (std::size_t i = 0; i <= kMaxBackendsPerService; ++i) {
    const std::string address = "10.1." + std::to_string(i / 256) + "." + std::to_string(i % 256);
    document["backends"].push_back({{"id", "b" + std::to_string(i)}, {"address", address}});
  }
  Problems problems;
  EXPECT_FALSE(parse_service(document, "", problems));
  EXPECT_EQ(problems, (Problems{{"backends", "must be at most 10000 backends"}}));
  document["backends"].erase(0);
  problems.clear();
  EXPECT_TRUE(parse_service(document, "", problems)) << text(problems);
}

TEST(GatewayDocument, AnnouncesUnlessToldOtherwise) {
  Problems problems;
  EXPECT_EQ(parse_gateway(json::parse(R"({"id":"gw1"})"), "", problems), (GatewayPolicy{"gw1", true}));
  EXPECT_EQ(parse_gateway(json::parse(R"({"id":"gw1","announce":false})"), "", problems),
            (GatewayPolicy{"gw1", false}));
  EXPECT_FALSE(parse_gateway(json::parse(R"({"id":"gw1","announce":"no","x":1})"), "", problems));
  EXPECT_EQ(problems,
            (Problems{{"announce", "must be true or false"}, {"x", "unknown key (known: announce, id)"}}));
}

}  // namespace
}  // namespace penstock
