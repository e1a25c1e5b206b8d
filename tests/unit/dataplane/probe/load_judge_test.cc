// What the judge makes of loads: who is late or busy, and whose breaker opens. In simulated time.

#include <gtest/gtest.h>

#include "tests/unit/dataplane/probe/health_site.h"

namespace penstock {
namespace {

using Host = HealthSite::Host;

/// Hosts that serve: 20 connections and responses an interval, in `us` at the 99th percentile.
void serve(HealthSite& site, std::uint64_t us = 10'000) {
  for (Host& h : site.hosts()) {
    h.connections = h.responses = 20;
    h.load->response_p99 = probe_time(us);
  }
}

TEST(HotRule, ASlowBackendIsLateWithinTwoAnswersAndCoolsWithHysteresis) {
  HealthSite site(4);
  serve(site);
  site.run(5000);
  for (std::size_t i = 0; i < 4; ++i) ASSERT_FALSE(site.late(i)) << i;
  site.host(1).load->response_p99 = probe_time(60'000);
  EXPECT_LE(site.until([&] { return site.late(1); }), 100U);
  EXPECT_FALSE(site.down(1)) << "hot is not down";
  // Twice the history of 10 ms is 20: between 16 and 20 it stays as it is.
  site.host(1).load->response_p99 = probe_time(18'000);
  site.run(500);
  EXPECT_TRUE(site.late(1));
  site.host(1).load->response_p99 = probe_time(12'000);
  const std::uint64_t cooled = site.until([&] { return !site.late(1); });
  EXPECT_GT(cooled, 50U) << "one answer is not enough";
  EXPECT_LE(cooled, 101U);
}

TEST(HotRule, TheWorstOfAServiceIsToldFromTheOthersThatAreLateToo) {
  HealthSite site(3);
  serve(site);
  site.run(5000);
  serve(site, 25'000);
  site.host(1).load->response_p99 = probe_time(200'000);
  site.run(200);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(site.late(i)) << i;
  EXPECT_GT(site.state(1).rank(), site.state(0).rank());
  EXPECT_EQ(site.state(2).rank(), site.state(0).rank());
}

TEST(HotRule, ALateBackendIsQuickWhenItsResponsesSaySoAndNotBecauseThereAreNone) {
  HealthSite site(3);
  serve(site);
  site.run(5000);
  site.host(1).load->response_p99 = probe_time(60'000);
  ASSERT_LE(site.until([&] { return site.late(1); }), 100U);
  site.host(1).load->response_p99 = PENSTOCK_PROBE_NO_VALUE;
  site.run(2000);
  EXPECT_TRUE(site.late(1)) << "it has nothing to do, which is no merit";
  site.host(1).load->response_p99 = probe_time(10'000);
  EXPECT_LE(site.until([&] { return !site.late(1); }), 101U);
}

TEST(HotRule, WhatNobodyHasMeasuredForFiveSecondsIsOutdated) {
  HealthSite site(3);
  serve(site);
  site.run(5000);
  site.host(1).load->response_p99 = probe_time(60'000);
  ASSERT_LE(site.until([&] { return site.late(1); }), 100U);
  site.host(1).load->response_p99 = PENSTOCK_PROBE_NO_VALUE;
  const std::uint64_t forgotten = site.until([&] { return !site.late(1); });
  EXPECT_GE(forgotten, 4900U);
  EXPECT_LE(forgotten, 5200U);
}

TEST(HotRule, AServiceThatBecomesSlowAsAWholeDoesNotOscillate) {
  HealthSite site(6);
  serve(site);
  site.run(30'000);
  serve(site, 80'000);
  std::vector<int> changes(6, 0);
  std::vector<bool> before(6, false);
  site.run(120'000, [&] {
    for (std::size_t i = 0; i < 6; ++i) {
      changes[i] += site.late(i) != before[i];
      before[i] = site.late(i);
    }
    ASSERT_EQ(site.how_many_down(), 0U) << "nobody is worse than the others: no breaker opens";
  });
  for (const int n : changes) EXPECT_LE(n, 2) << "late, and later usual";
}

TEST(HotRule, AFullQueueAndAStallAreLateAndUtilisationIsBusy) {
  HealthSite site(3);
  site.run(500);
  site.host(0).load->accept_queue = 64;  // of 128
  site.host(1).load->stalled = probe_time(60'000);
  site.host(2).load->cpu = 9500;
  site.run(60);
  EXPECT_TRUE(site.late(0) && !site.busy(0));
  EXPECT_TRUE(site.late(1) && !site.busy(1));
  EXPECT_TRUE(site.busy(2) && !site.late(2));
  site.host(2).load->application_utilization = 100;
  site.run(110);
  EXPECT_FALSE(site.busy(2)) << "what the application says counts before the CPU";
  site.host(2).load->application_utilization = PENSTOCK_PROBE_NO_VALUE;
  site.host(2).load->age_ms = 2500;
  site.host(0).load->age_ms = 2500;
  site.run(110);
  EXPECT_FALSE(site.busy(2)) << "old values are none";
  EXPECT_TRUE(site.late(0)) << "the queue is always fresh";
}

TEST(HotRule, OffMeansCold) {
  HealthDocument policy;
  policy.hot.off = true;
  HealthSite site(2, policy);
  site.host(0).load->accept_queue = 128;
  site.host(0).load->cpu = 10'000;
  site.run(1000);
  EXPECT_EQ(site.state(0), kUpState);
}

HealthDocument at_once() {
  HealthDocument policy;
  policy.hot.off = true;
  policy.slow_start.duration_ms = 0;
  return policy;
}

TEST(Breaker, OpensForResetsLetsATrickleThroughAndCloses) {
  HealthDocument policy = at_once();
  policy.slow_start = {10'000, 10, 1};
  HealthSite site(4, policy);
  serve(site);
  site.run(5000);
  site.host(2).resets = 15;  // of 20
  const std::uint64_t opened = site.until([&] { return site.down(2); });
  EXPECT_LE(opened, 2050U) << "evidence is a second's";
  EXPECT_EQ(site.report(2).reason, HealthReason::kBreaker);
  EXPECT_EQ(site.report(2).breaker, BreakerState::kOpen);
  EXPECT_EQ(site.report(2).cause, BreakerCause::kResets);
  site.host(2).resets = 0;
  const std::uint64_t half = site.until([&] { return !site.down(2); });
  EXPECT_NEAR(static_cast<double>(half), 5000, 60);
  EXPECT_EQ(site.report(2).breaker, BreakerState::kHalfOpen);
  EXPECT_LE(site.admitted(2), 13U) << "5 %";
  EXPECT_LE(site.until([&] { return site.report(2).breaker == BreakerState::kClosed; }), 2050U);
  EXPECT_LE(site.admitted(2), 28U) << "the ramp begins where slow start says";
  EXPECT_EQ(site.report(2).trips, 1U);
}

TEST(Breaker, BadEvidenceOfTheTrickleOpensItAgainForTwiceAsLong) {
  HealthSite site(4, at_once());
  serve(site);
  site.run(5000);
  site.host(2).refused = 60;
  ASSERT_LE(site.until([&] { return site.down(2); }), 2050U);
  EXPECT_EQ(site.report(2).cause, BreakerCause::kHandshakes);
  std::vector<std::uint64_t> open;
  for (int i = 0; i < 5; ++i) {
    open.push_back(site.until([&] { return !site.down(2); }));
    ASSERT_LE(site.until([&] { return site.down(2); }), 2050U) << i;
  }
  const std::vector<double> expected = {5000, 10'000, 20'000, 40'000, 60'000};
  for (std::size_t i = 0; i < 5; ++i) EXPECT_NEAR(static_cast<double>(open[i]), expected[i], 60) << i;
}

TEST(Breaker, NeverOpensForMoreThanItsShareOfAService) {
  for (const std::uint32_t percent : {10U, 30U, 50U, 100U}) {
    HealthDocument policy = at_once();
    policy.breaker.max_open_percent = percent;
    policy.breaker.failure_percent = 20;
    HealthSite site(10, policy);
    serve(site);
    site.run(5000);
    for (std::size_t i = 0; i < 4; ++i) site.host(i).resets = 20;
    std::size_t most = 0;
    site.run(60'000, [&] {
      std::size_t open = 0;
      for (std::size_t i = 0; i < 10; ++i) open += site.report(i).breaker != BreakerState::kClosed;
      most = std::max(most, open);
    });
    EXPECT_EQ(most, std::min<std::size_t>(4, 10 * percent / 100)) << percent;
  }
}

TEST(Breaker, OfTwoOneMayOpenOfOneNone) {
  for (const std::size_t hosts : {1U, 2U}) {
    HealthDocument policy = at_once();
    policy.breaker.max_open_percent = 1;
    HealthSite site(hosts, policy);
    serve(site);
    site.run(5000);
    site.host(0).resets = 20;
    site.run(4000);
    EXPECT_EQ(site.how_many_down(), hosts - 1);
  }
}

TEST(Breaker, AServiceThatFailsAsAWholeOpensNobody) {
  HealthSite site(6, at_once());
  serve(site);
  site.run(5000);
  for (Host& h : site.hosts()) h.resets = 18;
  site.run(60'000, [&] { ASSERT_EQ(site.how_many_down(), 0U); });
}

TEST(Breaker, WhoIsTenTimesAsSlowAsIsUsualIsTakenOut) {
  HealthSite site(4, at_once());
  serve(site, 5000);
  site.run(5000);
  site.host(3).load->response_p99 = probe_time(49'000);
  site.run(4000);
  EXPECT_FALSE(site.down(3));
  site.host(3).load->response_p99 = probe_time(60'000);
  EXPECT_LE(site.until([&] { return site.down(3); }), 1100U);
  EXPECT_EQ(site.report(3).cause, BreakerCause::kLatency);
}

TEST(Breaker, ALossyPathIsTakenOutThoughItIsNeverSilentForLong) {
  HealthSite site(5, at_once());
  site.run(3000);
  unsigned round = 0;
  std::uint64_t asked = 0;
  // Two of three rounds are lost, never three in a row.
  const std::uint64_t took = site.until([&] {
    if (site.ms() / 50 != asked) {
      asked = site.ms() / 50;
      site.host(1).answers = ++round % 3 == 0;
    }
    return site.down(1);
  });
  EXPECT_LE(took, 5000U);
  EXPECT_EQ(site.report(1).reason, HealthReason::kBreaker);
  EXPECT_EQ(site.report(1).cause, BreakerCause::kProbeLoss);
}

TEST(Breaker, CountersThatWrapOrBeginAgainAreNoEvidence) {
  HealthSite site(4, at_once());
  serve(site);
  for (Host& h : site.hosts()) {
    h.load->new_connections = UINT32_MAX - 1000;
    h.load->resets = UINT32_MAX - 5;
    h.load->syn_drops = UINT16_MAX - 3;
  }
  site.host(0).resets = 1;
  site.host(0).refused = 1;
  site.run(8000, [&] { ASSERT_EQ(site.how_many_down(), 0U); });
  // The responder has begun again, with everything at zero.
  site.host(1).load->new_connections = site.host(1).load->responses = 0;
  site.host(1).load->resets = 0;
  site.host(1).load->syn_drops = 0;
  site.run(8000, [&] { ASSERT_EQ(site.how_many_down(), 0U); });
}

TEST(Breaker, OffOpensNobodyAndClosesWhatIsOpen) {
  HealthSite site(4, at_once());
  serve(site);
  site.run(5000);
  site.host(2).resets = 20;
  ASSERT_LE(site.until([&] { return site.down(2); }), 2050U);
  site.plan().services[0].health.breaker.off = true;
  site.follow();
  EXPECT_LE(site.until([&] { return !site.down(2); }), 1100U);
  site.run(10'000, [&] { ASSERT_FALSE(site.down(2)); });
}

TEST(Loads, AreReportedWithTheAgeThatTheyHaveByNow) {
  HealthSite site(3);
  site.host(0).load->established = 77;
  site.host(0).host.emplace();
  site.host(0).host->age_ms = 100;
  site.host(0).host->cpu_utilization = 4200;
  site.run(200);
  site.host(0).answers = false;
  site.run(1000);
  const BackendReport report = site.report(0);
  ASSERT_TRUE(report.load && report.host);
  EXPECT_EQ(report.load->established, 77U);
  EXPECT_GE(report.load->age_ms, 1000U);
  EXPECT_EQ(report.host->cpu_utilization, 4200);
  EXPECT_GT(report.probe_loss_percent, 0U);
  EXPECT_EQ(report.rtt_us, 200U);
  site.run(1500);
  EXPECT_FALSE(site.report(0).load || site.report(0).host);
}

}  // namespace
}  // namespace penstock
