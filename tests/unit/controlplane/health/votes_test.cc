#include "controlplane/health/votes.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

using proto::BackendHealth;

proto::BackendStats report(proto::Liveness liveness, BackendHealth::Reason reason, bool in_doubt = false) {
  proto::BackendStats stats;
  stats.set_liveness(liveness);
  stats.mutable_health()->set_reason(reason);
  stats.mutable_health()->set_in_doubt(in_doubt);
  return stats;
}

TEST(Votes, OnlyWhatAGatewayKnowsItselfIsAVote) {
  const struct {
    const char* what;
    proto::BackendStats report;
    Vote vote;
  } kCases[] = {
      {"up", report(proto::LIVENESS_UP, BackendHealth::NONE), Vote::kUp},
      {"never answered", report(proto::LIVENESS_UNKNOWN, BackendHealth::NONE), Vote::kNone},
      {"no listener", report(proto::LIVENESS_DOWN, BackendHealth::NO_LISTENER), Vote::kDown},
      {"check", report(proto::LIVENESS_DOWN, BackendHealth::CHECK_FAILING), Vote::kDown},
      {"stalled", report(proto::LIVENESS_DOWN, BackendHealth::STALLED), Vote::kDown},
      {"silent", report(proto::LIVENESS_DOWN, BackendHealth::SILENT), Vote::kDown},
      {"direct check", report(proto::LIVENESS_DOWN, BackendHealth::DIRECT_CHECK), Vote::kDown},
      {"silent, but the gateway doubts itself", report(proto::LIVENESS_DOWN, BackendHealth::SILENT, true),
       Vote::kNone},
      {"up, but the gateway doubts itself", report(proto::LIVENESS_UP, BackendHealth::NONE, true),
       Vote::kNone},
      {"told dead by the fleet", report(proto::LIVENESS_DOWN, BackendHealth::FLEET), Vote::kNone},
      {"told alive by the fleet", report(proto::LIVENESS_UP, BackendHealth::FLEET), Vote::kNone},
      {"held", report(proto::LIVENESS_DOWN, BackendHealth::HELD), Vote::kAbstains},
      {"breaker", report(proto::LIVENESS_DOWN, BackendHealth::BREAKER), Vote::kAbstains},
      {"breaker half-open", report(proto::LIVENESS_UP, BackendHealth::BREAKER), Vote::kUp},
      {"maintenance", report(proto::LIVENESS_DOWN, BackendHealth::MAINTENANCE), Vote::kNone},
  };
  for (const auto& c : kCases) EXPECT_EQ(ballot_of(c.report).vote, c.vote) << c.what;
}

TEST(Votes, ADataplaneWithoutBackendHealthVotesByLiveness) {
  proto::BackendStats stats;
  EXPECT_EQ(ballot_of(stats).vote, Vote::kNone);
  stats.set_liveness(proto::LIVENESS_DOWN);
  EXPECT_EQ(ballot_of(stats).vote, Vote::kDown);
  EXPECT_EQ(ballot_of(stats).hearing, Hearing::kUnknown);
}

TEST(Votes, AnUnknownReasonOfANewerDataplaneLeavesTheLivenessAsItIs) {
  proto::BackendStats stats = report(proto::LIVENESS_DOWN, static_cast<BackendHealth::Reason>(99));
  EXPECT_EQ(ballot_of(stats).vote, Vote::kDown);
  EXPECT_STREQ(reason_name(static_cast<BackendHealth::Reason>(99)), "other");
}

TEST(Votes, HearingIsOfTheProbesAndNotOfTheService) {
  const struct {
    const char* what;
    BackendHealth::Reason reason;
    std::uint32_t rtt_us, loss_percent;
    Hearing hearing;
  } kCases[] = {
      {"never answered", BackendHealth::NONE, 0, 100, Hearing::kUnknown},
      {"answers", BackendHealth::NONE, 90, 5, Hearing::kHeard},
      {"answers that nobody listens", BackendHealth::NO_LISTENER, 90, 0, Hearing::kHeard},
      {"silent for three rounds", BackendHealth::SILENT, 90, 15, Hearing::kUnheard},
      {"silent in maintenance", BackendHealth::MAINTENANCE, 90, 100, Hearing::kUnheard},
      {"back, and held", BackendHealth::HELD, 90, 80, Hearing::kHeard},
  };
  for (const auto& c : kCases) {
    proto::BackendStats stats = report(proto::LIVENESS_UNKNOWN, c.reason);
    stats.mutable_health()->set_probe_rtt_us(c.rtt_us);
    stats.mutable_health()->set_probe_loss_percent(c.loss_percent);
    EXPECT_EQ(ballot_of(stats).hearing, c.hearing) << c.what;
  }
}

TEST(Votes, TheMajorityDecidesAndATieKeepsTheFormerVerdict) {
  const struct {
    const char* what;
    Votes votes;
    Verdict former, verdict;
  } kCases[] = {
      {"nobody", {}, Verdict::kDead, Verdict::kUnknown},
      {"one for it", {.up = 1}, Verdict::kUnknown, Verdict::kAlive},
      {"one against it", {.down = 1}, Verdict::kAlive, Verdict::kDead},
      {"two to one for it", {.up = 2, .down = 1}, Verdict::kDead, Verdict::kAlive},
      {"two to one against it", {.up = 1, .down = 2}, Verdict::kAlive, Verdict::kDead},
      {"a tie while alive", {.up = 1, .down = 1}, Verdict::kAlive, Verdict::kAlive},
      {"a tie while dead", {.up = 2, .down = 2}, Verdict::kDead, Verdict::kDead},
      {"a tie at the beginning", {.up = 1, .down = 1}, Verdict::kUnknown, Verdict::kUnknown},
      {"all hold it down", {.abstaining = 2}, Verdict::kDead, Verdict::kDead},
      {"all but one hold it down", {.up = 1, .abstaining = 2}, Verdict::kDead, Verdict::kAlive},
      {"all doubt themselves", {.doubting = 3}, Verdict::kDead, Verdict::kUnknown},
      {"only followers", {.following = 3}, Verdict::kDead, Verdict::kUnknown},
  };
  for (const auto& c : kCases) EXPECT_EQ(decide(c.votes, c.former), c.verdict) << c.what;
}

}  // namespace
}  // namespace penstock
