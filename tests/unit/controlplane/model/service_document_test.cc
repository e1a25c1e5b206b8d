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
  EXPECT_EQ(service->backends[0], (Backend{"be1", *IpAddr::parse("10.0.31.2"), 1, false, 0, {}, {}}));
  EXPECT_EQ(service->backends[1], (Backend{"be2", *IpAddr::parse("2001:db8::2"), 0, true, 0, {}, {}}));
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
    "unknown key (known: affinity, backends, encap, forwarding, health, id, idle_timeouts, one_shot, policy, "
    "port, "
    "protocol, "
    "quic, second_chance, table_size, vip, workload)";
constexpr const char* kPortTextRule =
    "must be 1–65535, a range such as \"8000-8999\", or \"*\" for every port";
constexpr const char* kEncapRule = "must be gue, ipip, gre, vxlan, l2dsr or nat";
constexpr const char* kProtocolRule = "must be tcp, udp, sctp or any";
// Makes the two backends of the valid service fit for QUIC.
constexpr const char* kQuicPatch = R"({"protocol":"udp","quic":{"configs":[
    {"rotation":0,"server_id_length":2,"nonce_length":4}]},"backends":[
    {"id":"a","address":"10.0.0.1","quic_server_id":"0001"},{"id":"b","address":"10.0.0.2","quic_server_id":"0002"}]})";
constexpr const char* kKey = "000102030405060708090a0b0c0d0e0f";
// SHA-256 of those 16 octets begins with this: sha256sum(1).
constexpr const char* kFingerprint = "sha256:be45cb2605bf36be";

INSTANTIATE_TEST_SUITE_P(
    Table, BadService,
    testing::Values(
        BadCase{"IdMissing", R"({"id":null})", {{"id", "missing"}}},
        BadCase{"IdEmpty", R"({"id":""})", {{"id", kIdRule}}},
        BadCase{"IdUpperCase", R"({"id":"Web"})", {{"id", kIdRule}}},
        BadCase{"IdWithSlash", R"({"id":"a/b"})", {{"id", kIdRule}}},
        BadCase{"IdANumber", R"({"id":7})", {{"id", "must be a string, not number"}}},
        BadCase{"VipMissing", R"({"vip":null})", {{"vip", "missing"}}},
        BadCase{"VipAName", R"({"vip":"www"})", {{"vip", "'www' is not an IPv4 or IPv6 address or prefix"}}},
        BadCase{"VipWithHostBits",
                R"({"vip":"203.0.113.10/24"})",
                {{"vip", "'203.0.113.10/24' has bits behind the prefix: write 203.0.113.0/24"}}},
        BadCase{"VipMulticastPrefix",
                R"({"vip":"224.0.0.0/8"})",
                {{"vip", "'224.0.0.0' is not a unicast address"}}},
        BadCase{
            "VipWithNul", R"({"vip":"203.0.113.10\u0000x"})", {{"vip", "is not an IPv4 or IPv6 address"}}},
        BadCase{"VipMulticast", R"({"vip":"224.0.0.1"})", {{"vip", "'224.0.0.1' is not a unicast address"}}},
        BadCase{"VipLoopback", R"({"vip":"::1"})", {{"vip", "'::1' is not a unicast address"}}},
        BadCase{"VipMapped",
                R"({"vip":"::ffff:203.0.113.10"})",
                {{"vip", "'::ffff:203.0.113.10' is an IPv4-mapped address: write it as IPv4"}}},
        BadCase{"VipUnspecified", R"({"vip":"0.0.0.0"})", {{"vip", "'0.0.0.0' is not a unicast address"}}},
        BadCase{"ProtocolMissing", R"({"protocol":null})", {{"protocol", "missing"}}},
        BadCase{"ProtocolUnknown", R"({"protocol":"icmp"})", {{"protocol", kProtocolRule}}},
        BadCase{"PortMissing", R"({"port":null})", {{"port", "missing"}}},
        BadCase{"PortZero", R"({"port":0})", {{"port", "must be 1–65535"}}},
        BadCase{"PortTooLarge", R"({"port":65536})", {{"port", "must be 1–65535"}}},
        BadCase{"PortNegative", R"({"port":-1})", {{"port", "must be 1–65535"}}},
        BadCase{"PortHuge", R"({"port":18446744073709551615})", {{"port", "must be 1–65535"}}},
        BadCase{"PortAString", R"({"port":"80"})", {{"port", kPortTextRule}}},
        BadCase{"PortRangeBackwards", R"({"port":"8999-8000"})", {{"port", kPortTextRule}}},
        BadCase{"PortRangeOfOne", R"({"port":"80-80"})", {{"port", kPortTextRule}}},
        BadCase{"PortRangeFromZero", R"({"port":"0-80"})", {{"port", kPortTextRule}}},
        BadCase{"PortRangeTooFar", R"({"port":"80-65536"})", {{"port", kPortTextRule}}},
        BadCase{"PortRangeOpen", R"({"port":"80-"})", {{"port", kPortTextRule}}},
        BadCase{"PortRangeWithSpace", R"({"port":"80 - 90"})", {{"port", kPortTextRule}}},
        BadCase{"AnyWithAPort", R"({"protocol":"any"})", {{"port", "must be \"*\" with protocol any"}}},
        BadCase{"PortAFraction", R"({"port":80.0})", {{"port", "must be a whole number, 1–65535"}}},
        BadCase{"EncapUnknown", R"({"encap":"mpls"})", {{"encap", kEncapRule}}},
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
        BadCase{"AddressWithinTheVip",
                R"({"vip":"10.0.0.0/8"})",
                {{"backends[0].address", "10.0.31.2 is within the service's own VIP"}}},
        BadCase{"OneShotTcp", R"({"one_shot":true})", {{"one_shot", "needs protocol udp"}}},
        BadCase{
            "NatSctp", R"({"encap":"nat","protocol":"sctp"})", {{"encap", "nat needs protocol tcp or udp"}}},
        BadCase{"ProxyProtocolOverGue",
                R"({"forwarding":{"proxy_protocol":true}})",
                {{"forwarding.proxy_protocol", "needs encap nat and protocol tcp"}}},
        BadCase{"ProxyProtocolUdp",
                R"({"encap":"nat","protocol":"udp","forwarding":{"proxy_protocol":true}})",
                {{"forwarding.proxy_protocol", "needs encap nat and protocol tcp"}}},
        BadCase{"BackendPortOverGue",
                R"({"backends":[{"id":"a","address":"10.0.0.1","port":8080}]})",
                {{"backends[0].port", "needs encap nat: other packets keep the VIP's port"}}},
        BadCase{"BackendPortZero",
                R"({"encap":"nat","backends":[{"id":"a","address":"10.0.0.1","port":0}]})",
                {{"backends[0].port", "must be 1–65535"}}},
        BadCase{"VxlanWithoutMacAndVni",
                R"({"encap":"vxlan","backends":[{"id":"a","address":"10.0.0.1"}]})",
                {{"forwarding.vxlan_vni", "missing: encap vxlan needs it"},
                 {"backends[0].mac", "missing: encap vxlan needs it"}}},
        BadCase{"VniTooLarge",
                R"({"encap":"vxlan","forwarding":{"vxlan_vni":16777216}})",
                {{"forwarding.vxlan_vni", "must be 1–16777215"}}},
        BadCase{"VniAndMacOverGue",
                R"({"forwarding":{"vxlan_vni":1},
                    "backends":[{"id":"a","address":"10.0.0.1","mac":"02:00:00:00:00:01"}]})",
                {{"forwarding.vxlan_vni", "needs encap vxlan"}, {"backends[0].mac", "needs encap vxlan"}}},
        BadCase{"MacAGroup",
                R"({"backends":[{"id":"a","address":"10.0.0.1","mac":"01:00:5e:00:00:01"}]})",
                {{"backends[0].mac", "must be the address of one host, not zero and not a group"}}},
        BadCase{"MacTooShort",
                R"({"backends":[{"id":"a","address":"10.0.0.1","mac":"2:0:0:0:0:1"}]})",
                {{"backends[0].mac", "must be a MAC address such as 02:00:00:00:00:01"}}},
        BadCase{
            "GreKeyOverGue", R"({"forwarding":{"gre_key":0}})", {{"forwarding.gre_key", "needs encap gre"}}},
        BadCase{"UdpChecksumOverIpip",
                R"({"encap":"ipip","forwarding":{"udp_checksum":true}})",
                {{"forwarding.udp_checksum", "needs encap gue or vxlan"}}},
        BadCase{"FragmentsOfNat",
                R"({"encap":"nat","forwarding":{"too_big":"fragment"}})",
                {{"forwarding.too_big", "needs an encapsulation: l2dsr and nat add nothing to a packet"}}},
        BadCase{"TooBigUnknown",
                R"({"forwarding":{"too_big":"drop"}})",
                {{"forwarding.too_big", "must be reply or fragment"}}},
        BadCase{"L2dsrAcrossFamilies",
                R"({"encap":"l2dsr"})",
                {{"backends[1].address", "must be of the VIP's family with encap l2dsr"}}},
        BadCase{"AffinityTooLong",
                R"({"affinity":{"ipv4_prefix":33,"ipv6_prefix":129}})",
                {{"affinity.ipv4_prefix", "must be 0–32"}, {"affinity.ipv6_prefix", "must be 0–128"}}},
        BadCase{"ServerIdWithoutQuic",
                R"({"backends":[{"id":"a","address":"10.0.0.1","quic_server_id":"00"}]})",
                {{"backends[0].quic_server_id", "needs the service's quic"}}},
        BadCase{"ServerIdNotHex",
                R"({"backends":[{"id":"a","address":"10.0.0.1","quic_server_id":"0x"}]})",
                {{"backends[0].quic_server_id", "must be 1–15 octets, each as two hexadecimal digits"}}},
        BadCase{"QuicOverTcpWithoutServerIds",
                R"({"quic":{"configs":[{"rotation":0,"server_id_length":2,"nonce_length":4}]}})",
                {{"quic", "needs protocol udp"},
                 {"backends[0].quic_server_id", "missing: quic needs it"},
                 {"backends[1].quic_server_id", "missing: quic needs it"}}},
        BadCase{"QuicLengths",
                R"({"quic":{"configs":[{"rotation":7,"server_id_length":0,"nonce_length":3},
                                       {"rotation":1,"server_id_length":15,"nonce_length":5},
                                       {"rotation":1,"server_id_length":1,"nonce_length":4,"key":"00"}]}})",
                {{"quic.configs[0].rotation", "must be 0–6"},
                 {"quic.configs[0].server_id_length", "must be 1–15"},
                 {"quic.configs[0].nonce_length", "must be 4–18"},
                 {"quic.configs[1].nonce_length",
                  "server_id_length and nonce_length together must be at most 19"},
                 {"quic.configs[2].key", "must be 32 hexadecimal digits, or left out for IDs in the clear"},
                 {"quic.configs[2].rotation", "is also that of an earlier entry"}}},
        BadCase{"QuicEmpty", R"({"quic":{"configs":[]}})", {{"quic.configs", "must not be empty"}}},
        BadCase{"QuicUnknownFingerprint",
                R"({"quic":{"configs":[{"rotation":0,"server_id_length":1,"nonce_length":4,
                                        "key":"sha256:0011223344556677"}]}})",
                {{"quic.configs[0].key",
                  "is the fingerprint of a key that this service does not have: give the key itself"}}},
        BadCase{"SecondChanceUnknown",
                R"({"second_chance":"udp"})",
                {{"second_chance", "must be tcp, off or tcp+udp"}}},
        BadCase{"SecondChanceOfAnyProtocol",
                R"({"protocol":"any","port":"*","second_chance":"tcp+udp"})",
                {{"second_chance", "tcp+udp needs protocol udp"}}},
        BadCase{"SecondChanceOfOneShot",
                R"({"protocol":"udp","one_shot":true,"second_chance":"tcp+udp"})",
                {{"second_chance", "datagrams of one_shot belong to no flow"}}},
        BadCase{"SecondChanceWithoutGue",
                R"({"encap":"ipip","second_chance":"off"})",
                {{"second_chance", "needs encap gue: other packets cannot carry hops"}}},
        BadCase{"SecondChanceOfUdpThatThereIsNot",
                R"({"second_chance":"tcp+udp"})",
                {{"second_chance", "tcp+udp needs protocol udp"}}},
        BadCase{
            "DrainDeadlineNoTime",
            R"({"backends":[{"id":"a","address":"10.0.0.1","drain":true,"drain_deadline":"soon"}]})",
            {{"backends[0].drain_deadline", "must be a time in whole seconds such as 2026-11-28T10:00:00Z"}}},
        BadCase{"DrainDeadlineANumber",
                R"({"backends":[{"id":"a","address":"10.0.0.1","drain":true,"drain_deadline":7}]})",
                {{"backends[0].drain_deadline", "must be a string, not number"}}},
        BadCase{"DrainDeadlineWithoutDrain",
                R"({"backends":[{"id":"a","address":"10.0.0.1","drain_deadline":"2026-11-28T10:00:00Z"}]})",
                {{"backends[0].drain_deadline", "needs drain"}}},
        BadCase{"DrainPolicyUnknown",
                R"({"backends":[{"id":"a","address":"10.0.0.1","drain":true,"drain_policy":"kill"}]})",
                {{"backends[0].drain_policy", "must be keep or reset"}}},
        BadCase{"DrainPolicyWithoutDeadline",
                R"({"backends":[{"id":"a","address":"10.0.0.1","drain":true,"drain_policy":"reset"}]})",
                {{"backends[0].drain_policy", "reset needs a drain_deadline"}}},
        BadCase{"UnknownKey", R"({"vpi":"203.0.113.10"})", {{"vpi", kServiceKeys}}},
        BadCase{"AllProblemsAtOnce",
                R"({"port":0,"encap":"x","backends":[{"id":"A","address":"x","weight":2000}]})",
                {{"port", "must be 1–65535"},
                 {"encap", kEncapRule},
                 {"backends[0].id", kIdRule},
                 {"backends[0].address", "'x' is not an IPv4 or IPv6 address"},
                 {"backends[0].weight", "must be 0–1000"}}}),
    [](const auto& test) { return test.param.name; });

json quic_service() {
  json document = valid_service();
  document.merge_patch(json::parse(kQuicPatch));
  return document;
}

TEST(ServiceDocument, ServerIdsAreUniqueAndAsLongAsTheConfigsSay) {
  json document = quic_service();
  document["backends"][1]["quic_server_id"] = "000100";
  document["quic"]["configs"].push_back({{"rotation", 1}, {"server_id_length", 3}, {"nonce_length", 4}});
  Problems problems;
  EXPECT_FALSE(parse_service(document, "", problems));
  EXPECT_EQ(problems,
            (Problems{{"quic.configs", "must have one server_id_length: a backend has one server ID"},
                      {"backends[1].quic_server_id", "must be 2 octets, the service's server_id_length"}}));
  document = quic_service();
  document["backends"][1]["quic_server_id"] = "0001";
  problems.clear();
  EXPECT_FALSE(parse_service(document, "", problems));
  EXPECT_EQ(problems, (Problems{{"backends[1].quic_server_id", "is also the ID of backends[0]"}}));
}

TEST(ServiceDocument, QuicNeedsMoreThanOneShotAndLessThanNat) {
  json document = quic_service();
  document["one_shot"] = true;
  document["encap"] = "nat";
  Problems problems;
  EXPECT_FALSE(parse_service(document, "", problems));
  EXPECT_EQ(problems, (Problems{{"one_shot", "nat has to remember each flow for its answers"},
                                {"one_shot", "a QUIC connection is more than one datagram"},
                                {"quic", "nat knows a flow by its addresses only"}}));
}

// Each has a field that only some services have.
class EveryOption : public testing::TestWithParam<const char*> {};

TEST_P(EveryOption, IsReadBackTheSame) {
  json document = valid_service();
  document.merge_patch(json::parse(GetParam()));
  Problems problems;
  const auto service = parse_service(document, "", problems);
  ASSERT_TRUE(service) << text(problems);
  const json written = to_json(*service, Secrets::kWritten);
  const auto again = parse_service(written, "", problems);
  ASSERT_TRUE(again) << text(problems);
  EXPECT_EQ(*again, *service);
  const json given = json::parse(GetParam());
  for (const auto& [key, value] : given.items()) {
    if (key == "backends") continue;
    EXPECT_EQ(written.at(key), value) << key;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Table, EveryOption,
    testing::Values(
        R"({"vip":"203.0.113.0/24","port":"8000-8999"})", R"({"vip":"2001:db8:1::/64","port":"*"})",
        R"({"protocol":"any","port":"*","encap":"gre","forwarding":{"gre_key":4294967295}})",
        R"({"protocol":"sctp","encap":"gre","forwarding":{"gre_key":0,"too_big":"fragment"}})",
        R"({"protocol":"udp","one_shot":true,"forwarding":{"udp_checksum":true}})",
        R"({"second_chance":"off"})", R"({"protocol":"udp","second_chance":"tcp+udp"})",
        R"({"backends":[{"id":"a","address":"10.0.0.1","drain":true,"drain_deadline":"2026-11-28T10:00:00Z"},
                        {"id":"b","address":"10.0.0.2","drain":true,"drain_deadline":"2026-11-28T10:00:00+02:00",
                         "drain_policy":"reset"}]})",
        R"({"affinity":{"ipv4_prefix":24,"ipv6_prefix":56}})", R"({"affinity":{"ipv6_prefix":128}})",
        R"({"encap":"nat","forwarding":{"proxy_protocol":true},"backends":[
                        {"id":"a","address":"2001:db8::1","port":8080},{"id":"b","address":"10.0.0.1"}]})",
        R"({"encap":"l2dsr","backends":[{"id":"a","address":"10.0.0.1"}]})",
        R"({"encap":"vxlan","forwarding":{"vxlan_vni":16777215,"udp_checksum":true},"backends":[
                        {"id":"a","address":"10.0.0.1","mac":"02:00:00:00:00:01"}]})",
        R"({"protocol":"udp","quic":{"configs":[{"rotation":6,"server_id_length":1,"nonce_length":18,
                        "key":"000102030405060708090a0b0c0d0e0f"}]},"backends":[
                        {"id":"a","address":"10.0.0.1","quic_server_id":"ff"}]})"));

TEST(ServiceDocument, WhatIsNotUsedIsNotShown) {
  Problems problems;
  const json shown = to_json(*parse_service(valid_service(), "", problems));
  for (const char* key : {"forwarding", "affinity", "quic", "one_shot", "second_chance"})
    EXPECT_FALSE(shown.contains(key)) << key;
  EXPECT_EQ(shown["backends"][0].size(), 4u);
}

TEST(ServiceDocument, AQuicKeyIsShownByItsFingerprintWhichKeepsIt) {
  json document = quic_service();
  document["quic"]["configs"][0]["key"] = kKey;
  Problems problems;
  const auto service = parse_service(document, "", problems);
  ASSERT_TRUE(service) << text(problems);
  json shown = to_json(*service);
  EXPECT_EQ(shown["quic"]["configs"][0]["key"], kFingerprint);
  EXPECT_EQ(shown.dump().find(kKey), std::string::npos);
  EXPECT_EQ(to_json(*service, Secrets::kWritten)["quic"]["configs"][0]["key"], kKey);

  shown["quic"]["configs"][0]["rotation"] = 3;
  const auto kept = parse_service(shown, "", problems, &*service);
  ASSERT_TRUE(kept) << text(problems);
  EXPECT_EQ(kept->quic[0].key, service->quic[0].key);
  EXPECT_EQ(kept->quic[0].rotation, 3);
  EXPECT_FALSE(parse_service(shown, "", problems)) << "without the service there is nothing to take it from";
}

TEST(ServiceDocument, ARefusedKeyIsNotRepeated) {
  json document = quic_service();
  document["quic"]["configs"][0]["key"] = "00112233445566778899aabbccddeefg";
  Problems problems;
  EXPECT_FALSE(parse_service(document, "", problems));
  EXPECT_EQ(text(problems).find("0011"), std::string::npos);
}

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

}  // namespace
}  // namespace penstock
