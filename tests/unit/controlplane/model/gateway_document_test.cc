#include "controlplane/model/gateway_document.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

using nlohmann::json;

constexpr const char* kFull = R"({"id":"gw1","announce":false,"med":65535,"bandwidth_mbps":25600,
    "bfd_profile":"normal","drain_timeout_seconds":90,
    "vips":{"203.0.113.10":{"med":0},"203.0.113.0/24":{"drain":true},"2001:DB8:0::10":{"withhold":true}}})";

TEST(GatewayDocument, AnnouncesUnlessToldOtherwise) {
  Problems problems;
  EXPECT_EQ(parse_gateway(json::parse(R"({"id":"gw1"})"), "", problems), (GatewayPolicy{"gw1", true}));
  EXPECT_EQ(parse_gateway(json::parse(R"({"id":"gw1","announce":false})"), "", problems),
            (GatewayPolicy{"gw1", false}));
  EXPECT_TRUE(problems.empty()) << text(problems);
}

TEST(GatewayDocument, EveryFieldIsReadAndWrittenBackTheSame) {
  Problems problems;
  const auto policy = parse_gateway(json::parse(kFull), "", problems);
  ASSERT_TRUE(policy) << text(problems);
  EXPECT_EQ(policy->med, 65535u);
  EXPECT_EQ(policy->bandwidth_mbps, 25600u);
  EXPECT_EQ(policy->bfd_profile, BfdProfile::kNormal);
  EXPECT_EQ(policy->drain_timeout_seconds, 90u);
  ASSERT_EQ(policy->vips.size(), 3u);
  EXPECT_EQ(policy->vips.at("203.0.113.10").med, 0u) << "0 is an answer, and not the gateway's med";
  EXPECT_TRUE(policy->vips.at("203.0.113.0/24").drain);
  EXPECT_TRUE(policy->vips.at("2001:db8::10").withhold) << "named as it is announced";
  EXPECT_FALSE(policy->vips.at("2001:db8::10").med);
  const auto again = parse_gateway(to_json(*policy), "", problems);
  ASSERT_TRUE(again) << text(problems);
  EXPECT_EQ(*again, *policy);
}

TEST(GatewayDocument, ARequestToUpgradeIsForTheStoreAndNotForTheOperator) {
  GatewayPolicy policy{"gw1"};
  policy.upgrade = {3, 60};
  Problems problems;
  const auto again = parse_stored_gateway(to_stored_json(policy), "", problems);
  ASSERT_TRUE(again) << text(problems);
  EXPECT_EQ(*again, policy);
  EXPECT_FALSE(to_json(policy).contains("upgrade_request"));
  EXPECT_FALSE(parse_gateway(to_stored_json(policy), "", problems));
  policy.upgrade = {4, 0};
  problems.clear();
  EXPECT_EQ(parse_stored_gateway(to_stored_json(policy), "", problems), policy) << text(problems);
}

struct BadCase {
  const char* name;
  const char* document;
  Problems problems;
};

class BadGateway : public testing::TestWithParam<BadCase> {};

TEST_P(BadGateway, IsRefusedNamingTheField) {
  json document = {{"id", "gw1"}};
  document.merge_patch(json::parse(GetParam().document));
  Problems problems;
  EXPECT_FALSE(parse_gateway(document, "", problems));
  EXPECT_EQ(problems, GetParam().problems) << text(problems);
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadGateway,
    testing::Values(
        BadCase{
            "Announce",
            R"({"announce":"no","x":1})",
            {{"announce", "must be true or false"},
             {"x",
              "unknown key (known: announce, bandwidth_mbps, bfd_profile, drain_timeout_seconds, id, med, "
              "vips)"}}},
        BadCase{"MedTooLarge", R"({"med":65536})", {{"med", "must be 0–65535"}}},
        BadCase{"MedAText", R"({"med":"low"})", {{"med", "must be a whole number, 0–65535"}}},
        BadCase{"Bandwidth", R"({"bandwidth_mbps":25601})", {{"bandwidth_mbps", "must be 0–25600"}}},
        BadCase{"BfdProfile",
                R"({"bfd_profile":"slow"})",
                {{"bfd_profile", "must be fast or normal, or left out for fast"}}},
        BadCase{"DrainTimeout",
                R"({"drain_timeout_seconds":0})",
                {{"drain_timeout_seconds", "must be 1–31536000"}}},
        BadCase{"VipsAList", R"({"vips":[]})", {{"vips", "must be a JSON object, not array"}}},
        BadCase{"VipAName",
                R"({"vips":{"web":{}}})",
                {{"vips[web]", "'web' is not an IPv4 or IPv6 address or prefix"}}},
        BadCase{"VipMed",
                R"({"vips":{"203.0.113.10":{"med":-1}}})",
                {{"vips[203.0.113.10].med", "must be 0–65535"}}},
        BadCase{"VipUnknownKey",
                R"({"vips":{"203.0.113.10":{"drained":true}}})",
                {{"vips[203.0.113.10].drained", "unknown key (known: drain, med, withhold)"}}},
        BadCase{
            "VipBoth",
            R"({"vips":{"203.0.113.10":{"drain":true,"withhold":true}}})",
            {{"vips[203.0.113.10].withhold", "a VIP that is not announced cannot be drained: choose one"}}},
        BadCase{"VipTwice",
                R"({"vips":{"2001:db8::1":{},"2001:DB8::1":{}}})",
                {{"vips[2001:db8::1]", "is another spelling of 2001:db8::1, which is given, too"}}},
        BadCase{
            "UpgradeRequest",
            R"({"upgrade_request":{"id":1}})",
            {{"upgrade_request",
              "unknown key (known: announce, bandwidth_mbps, bfd_profile, drain_timeout_seconds, id, med, "
              "vips)"}}}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace penstock
