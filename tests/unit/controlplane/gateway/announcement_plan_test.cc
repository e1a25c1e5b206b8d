#include "controlplane/gateway/announcement_plan.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace penstock {
namespace {

VipPrefix vip(const std::string& text) { return *parse_vip(text); }

const std::set<VipPrefix> kVips{vip("203.0.113.10"), vip("203.0.113.11"), vip("2001:db8::/64")};

proto::VipPolicy& rule(proto::AnnouncePolicy& policy, const std::string& text) {
  auto* out = policy.add_vips();
  out->set_vip(text);
  return *out;
}

TEST(AnnouncementPlan, EveryVipHasTheMedOfTheGateway) {
  proto::AnnouncePolicy policy;
  policy.set_med(50);
  const auto plan = plan_announcements(kVips, policy, AnnounceMode::kNormal);
  EXPECT_EQ(plan, (Announcements{{vip("203.0.113.10"), {.med = 50}},
                                 {vip("203.0.113.11"), {.med = 50}},
                                 {vip("2001:db8::/64"), {.med = 50}}}));
}

TEST(AnnouncementPlan, VipsWithAPolicyOfTheirOwnFollowIt) {
  proto::AnnouncePolicy policy;
  policy.set_med(50);
  rule(policy, "203.0.113.10").set_med(0);
  rule(policy, "203.0.113.11").set_withhold(true);
  rule(policy, "2001:db8::/64").set_drain(true);
  rule(policy, "203.0.113.99").set_med(7);  // nobody serves it
  rule(policy, "nonsense").set_drain(true);
  const auto plan = plan_announcements(kVips, policy, AnnounceMode::kNormal);
  EXPECT_EQ(plan, (Announcements{{vip("203.0.113.10"), {.med = 0}},
                                 {vip("2001:db8::/64"), {.med = 50, .drained = true}}}));
}

TEST(AnnouncementPlan, DrainedGatewayDrainsEveryVipThatItAnnounces) {
  proto::AnnouncePolicy policy;
  rule(policy, "203.0.113.11").set_withhold(true);
  const auto plan = plan_announcements(kVips, policy, AnnounceMode::kDrained);
  EXPECT_EQ(plan, (Announcements{{vip("203.0.113.10"), {.drained = true}},
                                 {vip("2001:db8::/64"), {.drained = true}}}));
}

TEST(AnnouncementPlan, WithdrawnGatewayAnnouncesNothing) {
  EXPECT_TRUE(plan_announcements(kVips, {}, AnnounceMode::kWithdrawn).empty());
}

TEST(AnnouncementPlan, MedBeyondTheRangeIsTheWorst) {
  proto::AnnouncePolicy policy;
  policy.set_med(1'000'000);
  EXPECT_EQ(plan_announcements({vip("203.0.113.10")}, policy, AnnounceMode::kNormal).begin()->second.med,
            65'535);
}

}  // namespace
}  // namespace penstock
