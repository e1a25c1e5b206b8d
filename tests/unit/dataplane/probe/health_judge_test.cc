// What the judge makes of what hosts say and do not say, in simulated time.

#include "dataplane/probe/health_judge.h"

#include <gtest/gtest.h>

#include "tests/unit/dataplane/probe/health_site.h"

namespace penstock {
namespace {

using Host = HealthSite::Host;

TEST(HealthJudge, WhoNeverAnsweredIsUnknownAndTakesEverything) {
  HealthSite site(4);
  for (Host& h : site.hosts()) h.answers = false;
  site.run(5000);
  EXPECT_EQ(site.state(0), BackendState());
  EXPECT_FALSE(site.judge().heard(HealthSite::index(0)));
  site.host(0).answers = true;
  site.run(60);
  EXPECT_EQ(site.state(0), kUpState) << "known, and not slowed down: it was alive before";
  EXPECT_TRUE(site.judge().heard(HealthSite::index(0)));
}

TEST(HealthJudge, AProcessThatExitsIsDownWithTheNextAnswer) {
  HealthSite site(3);
  site.run(200);
  site.host(1).listener = Listener::kAbsent;
  EXPECT_LE(site.until([&] { return site.down(1); }), 50U);
  EXPECT_EQ(site.report(1).reason, HealthReason::kNoListener);
  EXPECT_EQ(site.how_many_down(), 1U);
}

TEST(HealthJudge, AFailingCheckAndAHangingProcessAreDownWithTheNextAnswer) {
  HealthSite site(3);
  site.run(200);
  site.host(0).load->check = PENSTOCK_PROBE_FAILING;
  EXPECT_LE(site.until([&] { return site.down(0); }), 50U);
  EXPECT_EQ(site.report(0).reason, HealthReason::kCheckFailing);
  site.host(1).load->stalled = probe_time(299'000);
  site.run(100);
  EXPECT_FALSE(site.down(1));
  site.host(1).load->stalled = probe_time(301'000);
  EXPECT_LE(site.until([&] { return site.down(1); }), 50U);
  EXPECT_EQ(site.report(1).reason, HealthReason::kStalled);
}

TEST(HealthJudge, WhatAnAgentSaidLongAgoIsNotBelieved) {
  HealthSite site(3);
  site.run(200);
  site.host(0).load->check = PENSTOCK_PROBE_FAILING;
  site.host(0).load->stalled = probe_time(5'000'000);
  site.host(0).load->age_ms = 2001;
  site.run(500);
  EXPECT_FALSE(site.down(0));
  EXPECT_FALSE(site.report(0).load.has_value());
  site.host(0).load->age_ms = 1999;
  EXPECT_LE(site.until([&] { return site.down(0); }), 50U);
}

TEST(HealthJudge, AHostThatVanishesIsDownWithin175Milliseconds) {
  for (unsigned phase = 0; phase < 50; ++phase) {
    HealthSite site(5);
    site.run(1000 + phase);
    site.host(2).answers = false;
    EXPECT_LE(site.until([&] { return site.down(2); }), 175U) << phase;
    EXPECT_EQ(site.report(2).reason, HealthReason::kSilent);
    EXPECT_EQ(site.how_many_down(), 1U);
  }
}

TEST(HealthJudge, TwoLostRoundsInARowAreNoDeathAndRiseCountsWhoComesBack) {
  HealthDocument policy;
  policy.rise = 4;
  policy.hold_ms = 1;
  HealthSite site(3, policy);
  site.run(500);
  for (int i = 0; i < 20; ++i) {
    site.host(0).answers = false;
    site.run(100, [&] { ASSERT_FALSE(site.down(0)); });
    site.host(0).answers = true;
    site.run(100, [&] { ASSERT_FALSE(site.down(0)); });
  }
  site.host(0).answers = false;
  site.run(300);
  ASSERT_TRUE(site.down(0));
  site.host(0).answers = true;
  const std::uint64_t back = site.until([&] { return !site.down(0); });
  EXPECT_GE(back, 151U) << "not before the fourth answer";
  EXPECT_LE(back, 210U);
}

TEST(HealthJudge, WhoFlapsEvery300MillisecondsIsInRotationAtMostOncePerHold) {
  HealthSite site(3);
  site.run(1000);
  std::vector<std::uint64_t> falls;
  bool was_down = false;
  const std::uint64_t start = site.ms();
  site.run(120'000, [&] {
    site.host(0).listener = (site.ms() - start) / 300 % 2 == 0 ? Listener::kAbsent : Listener::kPresent;
    if (site.down(0) && !was_down) falls.push_back(site.ms());
    was_down = site.down(0);
  });
  ASSERT_GE(falls.size(), 3U);
  for (std::size_t i = 1; i < falls.size(); ++i) EXPECT_GE(falls[i] - falls[i - 1], 2000U) << i;
  // 2 s, then 4, 8, 16, 32, 60: each fall again soon after doubles the hold.
  EXPECT_LE(falls.size(), 7U);
  EXPECT_EQ(site.report(0).falls, falls.size());
}

TEST(HealthJudge, WhoStaysUpForLongEnoughIsHeldForTheShortTimeAgain) {
  HealthDocument policy;
  policy.max_hold_ms = 10'000;
  HealthSite site(3, policy);
  site.run(500);
  const auto fall = [&] {
    site.host(0).listener = Listener::kAbsent;
    site.run(60);
    site.host(0).listener = Listener::kPresent;
    return site.until([&] { return !site.down(0); });
  };
  EXPECT_NEAR(static_cast<double>(fall()), 1950, 60);
  site.run(1000);
  EXPECT_NEAR(static_cast<double>(fall()), 3950, 60);
  site.run(10'100);
  EXPECT_NEAR(static_cast<double>(fall()), 1950, 60);
}

TEST(HealthJudge, HeldIsToldAsSuch) {
  HealthSite site(3);
  site.run(500);
  site.host(0).listener = Listener::kAbsent;
  site.run(100);
  site.host(0).listener = Listener::kPresent;
  site.run(100);
  EXPECT_TRUE(site.down(0));
  EXPECT_EQ(site.report(0).reason, HealthReason::kHeld);
  EXPECT_EQ(site.report(0).admitted_percent, 0U);
}

TEST(HealthJudge, AServiceWithoutAnybodyAliveDoesAsAllDownSaysAtOnce) {
  for (const auto& [all_down, expected] :
       {std::pair(AllDown::kUseAll, ServiceState::kUseAll), std::pair(AllDown::kReset, ServiceState::kReset),
        std::pair(AllDown::kDrop, ServiceState::kDrop)}) {
    HealthDocument policy;
    policy.all_down = all_down;
    HealthSite site(3, policy);
    site.run(500);
    for (Host& h : site.hosts()) h.listener = Listener::kAbsent;
    EXPECT_LE(site.until([&, want = expected] { return site.service() == want; }), 50U);
    EXPECT_EQ(site.how_many_down(), 3U);
    site.host(1).listener = Listener::kPresent;
    EXPECT_LE(site.until([&] { return site.service() == ServiceState::kAlive; }), 2050U);
    EXPECT_FALSE(site.down(1));
  }
}

TEST(HealthJudge, PanicBeginsBelowItsShareAndEndsAboveIt) {
  HealthDocument policy;
  policy.panic_percent = 50;
  policy.all_down = AllDown::kReset;
  HealthSite site(4, policy);
  site.run(500);
  site.host(0).listener = site.host(1).listener = Listener::kAbsent;
  site.run(60);
  EXPECT_EQ(site.service(), ServiceState::kAlive) << "half is not below half";
  site.host(2).listener = Listener::kAbsent;
  site.run(60);
  EXPECT_EQ(site.service(), ServiceState::kUseAll);
  site.host(3).listener = Listener::kAbsent;
  site.run(60);
  EXPECT_EQ(site.service(), ServiceState::kReset) << "nobody: not too few";
}

TEST(HealthJudge, MaintenanceIsNoFallAndDoesNotCountUnlessAllAreInIt) {
  HealthDocument policy;
  policy.all_down = AllDown::kDrop;
  HealthSite site(3, policy);
  site.run(500);
  site.plan().services[0].backends[0].maintenance = true;
  site.follow();
  EXPECT_TRUE(site.down(0));
  EXPECT_TRUE(site.state(0).in_maintenance());
  EXPECT_EQ(site.report(0).reason, HealthReason::kMaintenance);
  EXPECT_EQ(site.report(0).falls, 0U);
  EXPECT_EQ(site.service(), ServiceState::kAlive);
  site.host(1).listener = site.host(2).listener = Listener::kAbsent;
  site.run(60);
  EXPECT_EQ(site.service(), ServiceState::kDrop) << "all that are not in maintenance";
  site.host(1).listener = site.host(2).listener = Listener::kPresent;
  site.run(3000);
  EXPECT_EQ(site.service(), ServiceState::kAlive);
  for (auto& b : site.plan().services[0].backends) b.maintenance = true;
  site.follow();
  EXPECT_EQ(site.service(), ServiceState::kDrop);
  for (auto& b : site.plan().services[0].backends) b.maintenance = false;
  site.follow();
  EXPECT_EQ(site.service(), ServiceState::kAlive) << "at once: nothing is held";
  EXPECT_EQ(site.how_many_down(), 0U);
  EXPECT_LT(site.admitted(0), 64U) << "but it begins slowly";
}

TEST(HealthJudge, WhoComesBackNeverGetsMoreThanTheRampSays) {
  HealthDocument policy;
  policy.slow_start = {10'000, 10, 1};
  HealthSite site(3, policy);
  site.run(500);
  site.host(0).listener = Listener::kAbsent;
  site.run(100);
  site.host(0).listener = Listener::kPresent;
  ASSERT_NE(site.until([&] { return !site.down(0); }), UINT64_MAX);
  const std::uint64_t back = site.ms();
  EXPECT_LE(site.admitted(0), 26U) << "a tenth";
  unsigned before = 0;
  site.run(10'100, [&] {
    const double elapsed = static_cast<double>(site.ms() - back) / 10'000;
    const double most = std::min(1.0, 0.1 + 0.9 * elapsed);
    // A tick of 10 ms and the rounding of the draw are all that may differ.
    ASSERT_LE(site.admitted(0), most * 256 + 0.3) << site.ms() - back;
    ASSERT_GE(site.admitted(0) + 3.0, most * 256 - 1) << site.ms() - back;
    ASSERT_GE(site.admitted(0), before);
    before = site.admitted(0);
  });
  EXPECT_EQ(site.state(0), kUpState);
}

TEST(HealthJudge, TheRampFollowsItsExponentAndMayBeOff) {
  HealthDocument policy;
  policy.slow_start = {10'000, 10, 2};
  policy.hold_ms = 1;
  HealthSite site(3, policy);
  const auto come_back = [&] {
    site.host(0).listener = Listener::kAbsent;
    site.run(100);
    site.host(0).listener = Listener::kPresent;
    ASSERT_LE(site.until([&] { return !site.down(0); }), 60U);
  };
  site.run(500);
  come_back();
  site.run(5000);
  EXPECT_NEAR(site.admitted(0), (0.1 + 0.9 * 0.25) * 256, 3);
  site.plan().services[0].health.slow_start.duration_ms = 0;
  site.follow();
  come_back();
  EXPECT_EQ(site.admitted(0), 256U);
}

TEST(HealthJudge, AGatewayWhoseLinkDiesPutsNobodyDown) {
  HealthSite site(10);
  site.run(1000);
  for (Host& h : site.hosts()) h.answers = false;
  site.run(30'000, [&] { ASSERT_EQ(site.how_many_down(), 0U) << site.ms(); });
  EXPECT_TRUE(site.report(0).in_doubt);
  EXPECT_EQ(site.report(0).falls, 0U);
  for (Host& h : site.hosts()) h.answers = true;
  site.run(200);
  EXPECT_EQ(site.how_many_down(), 0U);
  EXPECT_FALSE(site.report(0).in_doubt);
  EXPECT_EQ(site.admitted(0), 256U) << "nobody was away, so nobody begins slowly";
}

TEST(HealthJudge, WithAFallOfOneTheFirstArePardonedWhenTheDoubtBegins) {
  HealthDocument policy;
  policy.fall = 1;
  HealthSite site(10, policy);
  site.run(1000);
  for (Host& h : site.hosts()) h.answers = false;
  site.run(200);
  EXPECT_EQ(site.how_many_down(), 0U);
  EXPECT_EQ(site.report(0).falls, 0U);
}

TEST(HealthJudge, InDoubtTheFleetDecides) {
  HealthSite site(10);
  site.run(1000);
  for (Host& h : site.hosts()) h.answers = false;
  site.run(500);
  const std::vector<FleetVerdict> verdicts = {{HealthSite::index(2), false}, {HealthSite::index(3), true}};
  site.judge().fleet(verdicts, site.now());
  site.run(20);
  EXPECT_TRUE(site.down(2));
  EXPECT_EQ(site.report(2).reason, HealthReason::kFleet);
  EXPECT_FALSE(site.down(3));
  EXPECT_FALSE(site.down(4));
}

TEST(HealthJudge, WhenSomeAreHeardTheDoubtEndsAfterAWhile) {
  HealthSite site(10);
  site.run(1000);
  for (std::size_t i = 0; i < 7; ++i) site.host(i).answers = false;
  site.run(3000);
  EXPECT_EQ(site.how_many_down(), 0U) << "it may be the link";
  site.run(3000);
  EXPECT_EQ(site.how_many_down(), 7U) << "the link works: those are out of reach";
}

TEST(HealthJudge, HostsThatDieOneAfterTheOtherMakeNobodyDoubt) {
  HealthSite site(10);
  site.run(1000);
  for (std::size_t i = 0; i < 9; ++i) {
    site.host(i).answers = false;
    EXPECT_LE(site.until([&] { return site.down(i); }), 175U) << i;
    site.run(1500);
  }
}

TEST(HealthJudge, TheFleetSpeaksOfWhomThisGatewayNeverHeardAndForFiveSeconds) {
  HealthSite site(3);
  site.host(0).answers = false;
  site.run(500);
  const std::vector<FleetVerdict> verdicts = {
      {HealthSite::index(0), false}, {HealthSite::index(1), false}, {900, false}};
  site.judge().fleet(verdicts, site.now());
  EXPECT_TRUE(site.down(0));
  EXPECT_FALSE(site.state(0).known()) << "hearsay is no vote of one's own";
  EXPECT_FALSE(site.down(1)) << "this gateway hears it itself";
  site.run(4900);
  EXPECT_TRUE(site.down(0));
  site.run(200);
  EXPECT_FALSE(site.down(0));
  site.judge().fleet(verdicts, site.now());
  EXPECT_TRUE(site.down(0));
  site.judge().fleet({}, site.now());
  site.run(4100);
  EXPECT_FALSE(site.down(0)) << "replaced by a word that does not name it; the doubled hold is over";
}

TEST(HealthJudge, DirectChecksDecideOfWhoNeverAnswers) {
  HealthDocument policy;
  policy.direct_check.emplace();
  HealthSite site(2, policy);
  for (Host& h : site.hosts()) h.answers = false;
  const BackendIndex index = HealthSite::index(0);
  site.judge().direct(index, false, site.now());
  site.judge().direct(index, false, site.now());
  EXPECT_EQ(site.state(0), BackendState()) << "two are no fall yet";
  site.judge().direct(index, false, site.now());
  EXPECT_TRUE(site.down(0));
  EXPECT_EQ(site.report(0).reason, HealthReason::kDirectCheck);
  site.run(2100);
  site.judge().direct(index, true, site.now());
  EXPECT_TRUE(site.down(0));
  site.judge().direct(index, true, site.now());
  EXPECT_FALSE(site.down(0));
  EXPECT_TRUE(site.state(0).known());
  EXPECT_LT(site.admitted(0), 64U) << "it is on its way back";
  site.host(1).answers = true;
  site.run(60);
  for (int i = 0; i < 5; ++i) site.judge().direct(HealthSite::index(1), false, site.now());
  EXPECT_FALSE(site.down(1)) << "its host speaks for itself";
  site.judge().direct(5000, false, site.now());  // nobody
}

TEST(HealthJudge, WhatIsKnownSurvivesAChangeOfConfigurationAndWhatIsGoneIsForgotten) {
  HealthSite site(4);
  site.run(500);
  site.host(1).listener = site.host(2).listener = Listener::kAbsent;
  site.run(100);
  ASSERT_TRUE(site.down(1));
  ASSERT_TRUE(site.down(2));
  ProbePlan without = site.plan();
  without.addresses.erase(without.addresses.begin() + 1);
  without.services[0].backends.erase(without.services[0].backends.begin() + 1);
  without.services[0].health.rise = 7;
  site.judge().follow(without, site.now());
  EXPECT_EQ(site.state(1), BackendState());
  EXPECT_TRUE(site.down(2));
  EXPECT_EQ(site.report(2).falls, 1U);
  site.follow();
  EXPECT_EQ(site.state(1), BackendState()) << "a stranger now";
  EXPECT_TRUE(site.down(2));
  site.judge().follow(ProbePlan{}, site.now());
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(site.state(i), BackendState());
  EXPECT_EQ(site.service(), ServiceState::kAlive);
}

TEST(HealthJudge, AnAddressOfManyServicesFallsAndRisesForEachByItsOwnRules) {
  BackendStates states(100, 16);
  HealthJudge judge(states);
  ProbePlan plan;
  plan.addresses.push_back({IpAddr(Ipv4Addr{{10, 0, 0, 1}}), {}});
  for (std::uint16_t i = 0; i < 10; ++i) {
    JudgedService service;
    service.index = i;
    service.health.fall = i + 1U;
    service.backends = {{i, false, true}};
    plan.services.push_back(service);
    plan.addresses[0].services.push_back({i, VipKey{IpAddr(Ipv4Addr{{203, 0, 113, 1}}), 6, i, 0, 0}});
  }
  Nanoseconds now = Nanoseconds::from_seconds(1);
  judge.follow(plan, now);
  const std::vector<ServiceReport> reports(8, ServiceReport{Listener::kPresent, {}});
  judge.answered(0, 0, reports, {}, {}, now);
  judge.answered(0, 8, std::span(reports).first(2), {}, {}, now);
  for (std::uint16_t i = 0; i < 10; ++i) EXPECT_EQ(states.backend(i), kUpState) << i;
  for (std::uint16_t lost = 1; lost <= 10; ++lost) {
    now = now + Nanoseconds::from_millis(50);
    judge.lost(0, now);
    for (std::uint16_t i = 0; i < 10; ++i) EXPECT_EQ(states.backend(i).down(), lost > i) << i;
  }
}

}  // namespace
}  // namespace penstock
