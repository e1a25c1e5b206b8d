#include "controlplane/gateway/upgrade_policy.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "controlplane/gateway/dataplane_fitness.h"
#include "controlplane/gateway/upgrade_record.h"
#include "eventually.h"

namespace penstock {
namespace {

using Phase = UpgradePolicy::Phase;
using Drain = DrainPolicy::Phase;
using CommandEnd = UpgradeFacts::CommandEnd;

Nanoseconds ms(std::uint64_t n) { return Nanoseconds::from_millis(n); }

class UpgradePolicyTest : public ::testing::Test {
 protected:
  Phase tick(std::uint64_t at_ms) {
    policy_.tick(facts_, ms(at_ms));
    return policy_.state().phase;
  }
  void verify_from(std::uint64_t at_ms) {
    policy_.begin(9, ms(at_ms));
    facts_.drain = Drain::kQuiet;
    tick(at_ms);
    facts_.command = CommandEnd{true, {}};
    facts_.unfit = "it does not beat";
    ASSERT_EQ(tick(at_ms), Phase::kVerifying);
  }

  UpgradePolicy policy_;
  UpgradeFacts facts_;
};

TEST_F(UpgradePolicyTest, GoesThroughEveryStepInOrder) {
  policy_.begin(9, ms(1'000));
  facts_.drain = Drain::kDraining;
  EXPECT_EQ(tick(1'100), Phase::kDraining);
  EXPECT_TRUE(policy_.wants_drain());
  facts_.drain = Drain::kQuiet;
  EXPECT_EQ(tick(3'000), Phase::kRestarting);
  EXPECT_TRUE(policy_.wants_drain());
  EXPECT_EQ(tick(3'100), Phase::kRestarting) << "the command still runs";
  facts_.command = CommandEnd{true, {}};
  facts_.unfit = "it does not beat";
  EXPECT_EQ(tick(3'200), Phase::kVerifying);
  EXPECT_EQ(tick(3'300), Phase::kVerifying);
  EXPECT_TRUE(policy_.wants_drain());
  EXPECT_EQ(policy_.state().detail, "it does not beat");
  facts_.unfit.clear();
  EXPECT_EQ(tick(4'000), Phase::kAnnouncing);
  EXPECT_FALSE(policy_.wants_drain());
  EXPECT_EQ(tick(4'100), Phase::kAnnouncing);
  facts_.announced_as_planned = true;
  EXPECT_EQ(tick(4'200), Phase::kDone);
  EXPECT_EQ(policy_.state(), (UpgradePolicy::State{9, Phase::kDone, {}}));
  EXPECT_EQ(policy_.elapsed(ms(9'000)), ms(3'200)) << "the time it took";
}

TEST_F(UpgradePolicyTest, DoesNotWaitForEverForARouterThatGoesOnSending) {
  policy_.begin(9, ms(1'000));
  facts_.drain = Drain::kWithdrawn;
  facts_.drain_in_phase = ms(2'999);
  EXPECT_EQ(tick(5'000), Phase::kDraining);
  facts_.drain_in_phase = ms(3'000);
  EXPECT_EQ(tick(5'001), Phase::kRestarting);
}

TEST_F(UpgradePolicyTest, CommandThatFailsEndsTheUpgradeAndTheDrain) {
  policy_.begin(9, ms(1'000));
  facts_.drain = Drain::kQuiet;
  tick(1'100);
  facts_.command = CommandEnd{false, "systemctl failed with status 5: unit not found"};
  EXPECT_EQ(tick(1'200), Phase::kFailed);
  EXPECT_EQ(policy_.state().detail, "systemctl failed with status 5: unit not found");
  EXPECT_FALSE(policy_.wants_drain());
  EXPECT_FALSE(policy_.active());
}

TEST_F(UpgradePolicyTest, DataplaneThatDoesNotComeBackInTimeFailsItWithTheReason) {
  verify_from(1'000);
  EXPECT_EQ(tick(30'999), Phase::kVerifying);
  EXPECT_EQ(tick(31'000), Phase::kFailed);
  EXPECT_EQ(policy_.state().detail, "the restarted dataplane is not fit for traffic: it does not beat");
}

TEST_F(UpgradePolicyTest, RoutesThatDoNotComeBackFailIt) {
  verify_from(1'000);
  facts_.unfit.clear();
  ASSERT_EQ(tick(2'000), Phase::kAnnouncing);
  EXPECT_EQ(tick(11'999), Phase::kAnnouncing);
  EXPECT_EQ(tick(12'000), Phase::kFailed);
}

TEST_F(UpgradePolicyTest, OneThatWasCutShortGoesOnWithVerifyingAndRestartsNothing) {
  for (const Phase cut : {Phase::kRestarting, Phase::kVerifying, Phase::kAnnouncing}) {
    policy_.resume({9, cut, {}}, ms(500));
    EXPECT_EQ(policy_.state().phase, Phase::kVerifying);
    EXPECT_TRUE(policy_.active());
  }
  for (const Phase over : {Phase::kDone, Phase::kFailed}) {
    policy_.resume({9, over, "why"}, ms(500));
    EXPECT_EQ(policy_.state(), (UpgradePolicy::State{9, over, "why"}));
    EXPECT_FALSE(policy_.active());
  }
}

TEST(UpgradeRecord, RemembersEveryIdOverARestart) {
  const test::TempDir dir;
  UpgradeRecord record(dir.path());
  ASSERT_TRUE(record.load());
  EXPECT_FALSE(record.knows(5));
  EXPECT_EQ(record.newest().phase, Phase::kNone);
  ASSERT_TRUE(record.put({5, Phase::kRestarting, {}}));
  ASSERT_TRUE(record.put({5, Phase::kFailed, "two\nlines"}));
  ASSERT_TRUE(record.put({6, Phase::kDone, {}}));
  UpgradeRecord again(dir.path());
  ASSERT_TRUE(again.load());
  EXPECT_TRUE(again.knows(5));
  EXPECT_TRUE(again.knows(6));
  EXPECT_FALSE(again.knows(7));
  EXPECT_EQ(again.newest(), (UpgradePolicy::State{6, Phase::kDone, {}}));
}

TEST(UpgradeRecord, DamagedFileIsNotBelieved) {
  const test::TempDir dir;
  for (const std::string text : {"5 done \nxyz\n", "5 dancing \n", "0 done \n", "\n"}) {
    std::ofstream(dir.path("upgrades")) << text;
    UpgradeRecord record(dir.path());
    EXPECT_FALSE(record.load()) << text;
    EXPECT_FALSE(record.knows(5));
  }
}

class FitnessTest : public ::testing::Test {
 protected:
  FitnessTest() {
    stats_.set_epoch(7);
    stats_.set_generation(3);
    stats_.set_uptime_ns(ms(900).count());
    add("web", "02:00:00:00:00:01");
    add("dns", "");
  }
  void add(const std::string& id, const std::string& next_hop) {
    auto* service = stats_.add_services();
    service->set_service(id);
    service->add_outcomes()->set_packets(40);
    service->add_outcomes()->set_packets(2);
    auto* backend = service->add_backends();
    backend->set_next_hop(next_hop);
    backend->set_flows(10);
  }
  std::string missing(const std::set<std::string>& before, std::uint64_t since_ms = 1'000) {
    return missing_for_traffic(stats_, {7, 3}, before, ms(since_ms));
  }

  proto::DataplaneStats stats_;
};

TEST_F(FitnessTest, CountsPacketsForVipsAndFlows) {
  EXPECT_EQ(vip_packets(stats_), 84u);
  EXPECT_EQ(flows_left(stats_), 20u);
  EXPECT_EQ(forwarding_services(stats_), std::set<std::string>{"web"});
}

TEST_F(FitnessTest, YoungProcessWithTheConfigurationAndTheNextHopsIsFit) {
  EXPECT_EQ(missing({"web"}), "");
  EXPECT_EQ(missing({}), "");
}

TEST_F(FitnessTest, NamesWhatIsMissing) {
  EXPECT_EQ(missing({"web", "dns"}), "service dns has no next hop to any backend");
  EXPECT_EQ(missing({"web"}, 800), "it is the same process as before, up for 0 s");
  EXPECT_EQ(missing({"web"}, 0), "") << "the age is not asked for when nobody knows when it was restarted";
  stats_.set_generation(2);
  EXPECT_EQ(missing({"web"}), "it runs generation 2 instead of generation 3");
}

}  // namespace
}  // namespace penstock
