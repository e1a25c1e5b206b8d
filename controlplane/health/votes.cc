#include "controlplane/health/votes.h"

namespace penstock {
namespace {

using proto::BackendHealth;

constexpr std::uint32_t kAllLost = 100;  // percent

Vote vote_of(proto::Liveness liveness, BackendHealth::Reason reason) {
  if (reason == BackendHealth::FLEET || reason == BackendHealth::MAINTENANCE) return Vote::kNone;
  if (liveness == proto::LIVENESS_UP) return Vote::kUp;
  if (liveness != proto::LIVENESS_DOWN) return Vote::kNone;
  // What is held down is fine again; what the breaker took out may live. Neither is a death.
  const bool other = reason == BackendHealth::HELD || reason == BackendHealth::BREAKER;
  return other ? Vote::kAbstains : Vote::kDown;
}

Hearing hearing_of(const BackendHealth& health) {
  if (health.reason() == BackendHealth::SILENT) return Hearing::kUnheard;
  if (health.probe_rtt_us() == 0) return Hearing::kUnknown;
  return health.probe_loss_percent() < kAllLost ? Hearing::kHeard : Hearing::kUnheard;
}

}  // namespace

const char* verdict_name(Verdict verdict) {
  switch (verdict) {
    case Verdict::kAlive:
      return "alive";
    case Verdict::kDead:
      return "dead";
    case Verdict::kUnknown:
      break;
  }
  return "unknown";
}

const char* reason_name(BackendHealth::Reason reason) {
  switch (reason) {
    case BackendHealth::NONE:
      return "none";
    case BackendHealth::NO_LISTENER:
      return "no_listener";
    case BackendHealth::CHECK_FAILING:
      return "check_failing";
    case BackendHealth::STALLED:
      return "stalled";
    case BackendHealth::SILENT:
      return "silent";
    case BackendHealth::DIRECT_CHECK:
      return "direct_check";
    case BackendHealth::FLEET:
      return "fleet";
    case BackendHealth::HELD:
      return "held";
    case BackendHealth::BREAKER:
      return "breaker";
    case BackendHealth::MAINTENANCE:
      return "maintenance";
    default:
      return "other";  // of a newer dataplane
  }
}

Ballot ballot_of(const proto::BackendStats& stats) {
  const BackendHealth& health = stats.health();
  Ballot ballot;
  ballot.reason = BackendHealth::Reason_IsValid(health.reason()) ? static_cast<std::uint8_t>(health.reason())
                                                                 : std::uint8_t{0};
  ballot.doubts = health.in_doubt();
  ballot.hearing = hearing_of(health);
  if (!ballot.doubts) ballot.vote = vote_of(stats.liveness(), health.reason());
  return ballot;
}

Verdict decide(const Votes& votes, Verdict former) {
  if (votes.up > votes.down) return Verdict::kAlive;
  if (votes.down > votes.up) return Verdict::kDead;
  return votes.up != 0 || votes.abstaining != 0 ? former : Verdict::kUnknown;
}

}  // namespace penstock
