// What the judge does once a second for each service: its history, and its backends' breakers.
#include <algorithm>
#include <utility>

#include "dataplane/probe/health_judge.h"

namespace penstock {
namespace {

constexpr std::uint64_t kEnoughAttempts = 10;  // that a share of failures is one

}  // namespace

void HealthJudge::end_seconds(Nanoseconds now) {
  for (std::size_t n = 0; n < services_.size() && services_[next_service_].next_second <= now; ++n) {
    Service& service = services_[next_service_];
    end_second(service, now);
    // After a pause of the caller seconds are not caught up.
    service.next_second = service.next_second + Nanoseconds::from_seconds(1);
    if (service.next_second <= now) service.next_second = now + Nanoseconds::from_seconds(1);
    next_service_ = (next_service_ + 1) % services_.size();
  }
}

/// Of those in rotation: who is out, or gets a trickle only, says nothing of what is usual.
void HealthJudge::gather(const Service& service, ServiceSecond& second) const {
  second.clear();
  for (std::uint32_t i = 0; i < service.count; ++i) {
    const Backend& b = backends_[service.first + i];
    if (b.state.down() || b.breaker.state() != BreakerState::kClosed) continue;
    ++second.backends;
    if (b.address != kNowhere) {
      const AddressSilence& silence = addresses_[b.address].silence;
      second.lossy += silence.rounds == kLossRounds &&
                      silence.loss_percent() >= service.policy.breaker.probe_loss_percent;
    }
    if (b.second.responses != 0 && b.second.response_us != 0)
      second.response_us.push_back(b.second.response_us);
    if (b.second.attempts() >= kEnoughAttempts)
      second.failure_shares.push_back(static_cast<float>(b.second.failures()) /
                                      static_cast<float>(b.second.attempts()));
  }
}

/// Not beyond the service's share, and never the last one that lives.
bool HealthJudge::may_open(const Service& s, const Backend& b) const {
  const std::uint64_t share = std::uint64_t{s.wanted} * s.policy.breaker.max_open_percent / 100;
  const std::uint64_t most = std::max<std::uint64_t>(share, s.wanted >= 2 ? 1 : 0);
  return s.open < most && s.alive > (counts(b) ? 1U : 0U);
}

void HealthJudge::end_second(Service& s, Nanoseconds now) {
  gather(s, second_);
  s.history.add(second_);
  const BreakerLimits limits = limits_of(s.policy.breaker, s.history);
  s.open = 0;
  for (std::uint32_t i = 0; i < s.count; ++i)
    s.open += backends_[s.first + i].breaker.state() != BreakerState::kClosed;
  for (std::uint32_t i = 0; i < s.count; ++i) {
    Backend& b = backends_[s.first + i];
    const LoadWindow window = std::exchange(b.second, {});
    const bool down = b.finding.down && b.finding.reason != HealthReason::kBreaker;
    if (down) continue;
    const AddressSilence* const silence = b.address != kNowhere ? &addresses_[b.address].silence : nullptr;
    const BreakerState before = b.breaker.state();
    b.breaker.judge(window, silence != nullptr ? silence->loss_percent() : 0,
                    silence != nullptr && silence->rounds == kLossRounds, limits, s.policy.breaker,
                    may_open(s, b), now);
    if (b.breaker.state() == before) continue;
    s.open += before == BreakerState::kClosed;
    s.open -= b.breaker.state() == BreakerState::kClosed;
    settle(b, now);
  }
}

}  // namespace penstock
