#include "controlplane/model/policy_document.h"

#include <gtest/gtest.h>

#include "controlplane/model/desired_state.h"

namespace penstock {
namespace {

using nlohmann::json;

constexpr const char* kFull = R"({"id":"thrifty","kind":"custom",
    "coefficients":{"balance":0.1,"latency":1.0,"money":2.0,"energy":0.0},
    "min_share":0.01,"max_share":0.5,"budget_per_hour":12.5,"deadband":0.01,"slew":0.25,"min_awake":2})";

TEST(PolicyDocument, AKindIsEnoughAndAllElseHasItsDefault) {
  Problems problems;
  const auto policy = parse_policy(json::parse(R"({"id":"night","kind":"energy"})"), "", problems);
  ASSERT_TRUE(policy) << text(problems);
  EXPECT_EQ(*policy, (WeightPolicy{.id = "night", .kind = WeightPolicyKind::kEnergy}));
  EXPECT_EQ(to_json(*policy), json::parse(R"({"id":"night","kind":"energy"})"));
}

TEST(PolicyDocument, EveryFieldIsReadAndWrittenBackTheSame) {
  Problems problems;
  const auto policy = parse_policy(json::parse(kFull), "", problems);
  ASSERT_TRUE(policy) << text(problems);
  EXPECT_EQ(policy->coefficients, (PolicyCoefficients{0.1, 1, 2, 0}));
  EXPECT_EQ(policy->min_share, 0.01);
  EXPECT_EQ(policy->max_share, 0.5);
  EXPECT_EQ(policy->budget_per_hour, 12.5);
  EXPECT_EQ(policy->deadband, 0.01);
  EXPECT_EQ(policy->slew, 0.25);
  EXPECT_EQ(policy->min_awake, 2u);
  EXPECT_EQ(to_json(*policy), json::parse(kFull));
}

TEST(PolicyDocument, CoefficientsThatAreLeftOutAreZero) {
  Problems problems;
  const auto policy =
      parse_policy(json::parse(R"({"id":"p","kind":"custom","coefficients":{"money":1}})"), "", problems);
  ASSERT_TRUE(policy) << text(problems);
  EXPECT_EQ(policy->coefficients, (PolicyCoefficients{0, 0, 1, 0}));
}

TEST(PolicyDocument, BuiltInOnesAreOfEachKindButCustom) {
  for (const char* id : {"static", "least-load", "latency", "cost", "energy"}) {
    const WeightPolicy* policy = built_in_policy(id);
    ASSERT_NE(policy, nullptr) << id;
    EXPECT_EQ(to_json(*policy), (json{{"id", id}, {"kind", id}}));
    EXPECT_EQ(find_policy(DesiredState{}, id), policy);
  }
  EXPECT_EQ(built_in_policies().size(), 5u);
  EXPECT_EQ(built_in_policy("custom"), nullptr);
}

struct BadCase {
  const char* name;
  const char* document;
  Problems problems;
};

class BadPolicy : public testing::TestWithParam<BadCase> {};

TEST_P(BadPolicy, IsRefusedWithItsField) {
  Problems problems;
  EXPECT_FALSE(parse_policy(json::parse(GetParam().document), "", problems));
  EXPECT_EQ(problems, GetParam().problems) << text(problems);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, BadPolicy,
    testing::Values(
        BadCase{"NoObject", R"(3)", {{"", "must be a JSON object, not number"}}},
        BadCase{"NoKind", R"({"id":"p"})", {{"kind", "missing"}}},
        BadCase{"Kind",
                R"({"id":"p","kind":"magic"})",
                {{"kind", "must be static, least-load, latency, cost, energy or custom"}}},
        BadCase{"BuiltIn",
                R"({"id":"cost","kind":"cost"})",
                {{"id", "'cost' is a built-in policy, which cannot be changed: choose another id"}}},
        BadCase{"CoefficientsOfAKind",
                R"({"id":"p","kind":"cost","coefficients":{"money":1}})",
                {{"coefficients", "needs kind custom"}}},
        BadCase{"NoCoefficients",
                R"({"id":"p","kind":"custom"})",
                {{"coefficients", "missing: kind custom needs them"}}},
        BadCase{"AllZero",
                R"({"id":"p","kind":"custom","coefficients":{}})",
                {{"coefficients", "must not all be 0: nothing would be left to decide by"}}},
        BadCase{"Negative",
                R"({"id":"p","kind":"custom","coefficients":{"money":-1,"speed":1}})",
                {{"coefficients.money", "must be 0.0–1000.0"},
                 {"coefficients.speed", "unknown key (known: balance, energy, latency, money)"}}},
        BadCase{"Shares",
                R"({"id":"p","kind":"cost","min_share":0.5,"max_share":0.4})",
                {{"min_share", "must be at most max_share"}}},
        BadCase{"Ranges",
                R"({"id":"p","kind":"cost","max_share":1.5,"budget_per_hour":"1","deadband":2,"slew":0})",
                {{"max_share", "must be 0.0–1.0"},
                 {"budget_per_hour", "must be a number, 0.0–1000000000.0"},
                 {"deadband", "must be 0.0–1.0"},
                 {"slew", "must be 0.001–100.0"}}},
        BadCase{"Awake",
                R"({"id":"p","kind":"latency","min_awake":3})",
                {{"min_awake", "needs kind energy or custom: the others park no node"}}}),
    [](const auto& bad) { return bad.param.name; });

}  // namespace
}  // namespace penstock
