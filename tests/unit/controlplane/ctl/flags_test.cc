#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controlplane/ctl/durations.h"
#include "controlplane/ctl/gateway_flags.h"
#include "controlplane/ctl/service_flags.h"

namespace penstock {
namespace {

using ::testing::HasSubstr;

TEST(Durations, AreSecondsMinutesOrHours) {
  for (const auto& [text, seconds] : {std::pair("90s", 90u), std::pair("10m", 600u), std::pair("2h", 7200u),
                                      std::pair("45", 45u), std::pair("0s", 0u)}) {
    const auto parsed = seconds_from_text("--deadline", text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(*parsed, seconds);
  }
  for (const char* text : {"", "m", "1d", "1.5h", "-1s", "10 m", "1h30m", "99999999h"}) {
    EXPECT_FALSE(seconds_from_text("--deadline", text)) << text;
  }
}

TEST(GatewayFlags, OneVipIsAPolicyOrTakenBack) {
  const auto policy = vip_policy_from_text("203.0.113.0/24,med=none,drain=false,withhold=true");
  ASSERT_TRUE(policy);
  EXPECT_EQ(policy->first, "203.0.113.0/24");
  EXPECT_EQ(policy->second, Json::parse(R"({"med":null,"drain":false,"withhold":true})"));
  EXPECT_TRUE(vip_policy_from_text("2001:db8::1")->second.is_null());
  for (const auto& [text, why] :
       {std::pair("med=100", "does not begin with a VIP"), std::pair("", "does not begin with a VIP"),
        std::pair("203.0.113.10,prefer=1", "is not one of med=, drain=, withhold="),
        std::pair("203.0.113.10,med=low", "not a whole number"),
        std::pair("203.0.113.10,drain=yes", "true or false")}) {
    const auto refused = vip_policy_from_text(text);
    ASSERT_FALSE(refused) << text;
    EXPECT_THAT(refused.error().text(), HasSubstr(why));
  }
  GatewayFlags twice;
  twice.vips = {"203.0.113.10,med=1", "203.0.113.10,med=2"};
  EXPECT_FALSE(to_json(twice));
}

TEST(BackendFlags, TakingNewFlowsAgainEndsTheDeadline) {
  BackendFlags flags;
  flags.drain = false;
  EXPECT_EQ(*to_json(flags), Json::parse(R"({"drain":false,"drain_deadline":null,"drain_policy":null})"));
  flags.drain = true;
  EXPECT_EQ(*to_json(flags), Json::parse(R"({"drain":true})"));
}

}  // namespace
}  // namespace penstock
