#include "dataplane/probe/breaker.h"

#include <algorithm>

namespace penstock {
namespace {

constexpr std::uint64_t kEnough = 10;  // attempts or responses that make a share or a percentile
constexpr std::uint64_t kEnoughOfTrickle = 3;
constexpr std::uint32_t kLongestEvidence = 10;  // seconds; then what was too little is forgotten
constexpr double kLeastFailureShare = 0.3;      // whatever the history
constexpr double kFailureFactor = 3;            // over the service's own history
constexpr double kWorseThanOthers = 1.5;        // times what the whole service has at this moment
constexpr double kLeastResponseUs = 5'000;      // no response is late below
constexpr Nanoseconds kShortestTrickle = Nanoseconds::from_seconds(1);
constexpr Nanoseconds kLongestDoubled = Nanoseconds::from_seconds(60);

}  // namespace

BreakerLimits limits_of(const BreakerDocument& policy, const ServiceHistory& history) noexcept {
  BreakerLimits limits;
  limits.failure_share = policy.failure_percent != 0
                             ? policy.failure_percent / 100.0
                             : std::max(kLeastFailureShare, kFailureFactor * history.failure_share());
  limits.failure_share = std::max(limits.failure_share, kWorseThanOthers * history.failure_share_now());
  const double usual = std::max<double>(history.usual_response_us(), history.response_us_now());
  if (usual > 0) limits.response_us = std::max(kLeastResponseUs, policy.latency_factor * usual);
  limits.loss_percent = history.most_are_lossy() ? 0 : policy.probe_loss_percent;
  return limits;
}

BreakerCause Breaker::fault_of(std::uint32_t loss_percent, bool loss_is_known,
                               const BreakerLimits& limits) const noexcept {
  const std::uint64_t enough = state_ == BreakerState::kHalfOpen ? kEnoughOfTrickle : kEnough;
  if (evidence_.attempts() >= enough) {
    const double attempts = static_cast<double>(evidence_.attempts());
    if (static_cast<double>(evidence_.failures()) >= limits.failure_share * attempts)
      return evidence_.refused > evidence_.resets ? BreakerCause::kHandshakes : BreakerCause::kResets;
  }
  if (evidence_.responses >= enough && limits.response_us > 0 && evidence_.response_us > limits.response_us)
    return BreakerCause::kLatency;
  if (limits.loss_percent != 0 && loss_is_known && loss_percent >= limits.loss_percent)
    return BreakerCause::kProbeLoss;
  return BreakerCause::kNone;
}

void Breaker::judge(const LoadWindow& second, std::uint32_t loss_percent, bool loss_is_known,
                    const BreakerLimits& limits, const BreakerDocument& policy, bool may_open,
                    Nanoseconds now) noexcept {
  if (policy.off) return close();
  if (state_ == BreakerState::kOpen) return;
  evidence_.add(second);
  ++seconds_;
  const BreakerCause fault = fault_of(loss_percent, loss_is_known, limits);
  const bool enough = evidence_.attempts() >= kEnough || evidence_.responses >= kEnough;
  if (state_ == BreakerState::kClosed) {
    if (fault != BreakerCause::kNone && may_open) return open(fault, policy, now);
  } else {
    // One that is half-open counts as open already: there is room for it.
    if (fault != BreakerCause::kNone) return open(fault, policy, now);
    const bool good = evidence_.attempts() >= kEnoughOfTrickle && now >= since_ + kShortestTrickle;
    if (good || now >= since_ + open_for_) return close(now);
  }
  if (enough || seconds_ >= kLongestEvidence) {
    evidence_ = {};
    seconds_ = 0;
  }
}

bool Breaker::advance(Nanoseconds now) noexcept {
  if (state_ != BreakerState::kOpen || now < since_ + open_for_) return false;
  state_ = BreakerState::kHalfOpen;
  since_ = now;
  evidence_ = {};
  seconds_ = 0;
  return true;
}

void Breaker::open(BreakerCause cause, const BreakerDocument& policy, Nanoseconds now) noexcept {
  const Nanoseconds base = Nanoseconds::from_millis(policy.open_ms);
  const bool again = state_ == BreakerState::kHalfOpen || (trips_ != 0 && now < since_ + open_for_);
  const Nanoseconds most = std::max(base, kLongestDoubled);
  open_for_ = again ? std::clamp(open_for_ + open_for_, base, most) : base;
  state_ = BreakerState::kOpen;
  cause_ = cause;
  since_ = now;
  ++trips_;
  evidence_ = {};
  seconds_ = 0;
}

void Breaker::close(Nanoseconds now) noexcept {
  state_ = BreakerState::kClosed;
  since_ = now;
  evidence_ = {};
  seconds_ = 0;
}

}  // namespace penstock
