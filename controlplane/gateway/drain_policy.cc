#include "controlplane/gateway/drain_policy.h"

namespace penstock {
namespace {

constexpr Nanoseconds kRateStretch = Nanoseconds::from_millis(500);

}  // namespace

void DrainPolicy::want(bool drained, Nanoseconds timeout, bool announced, Nanoseconds now) {
  timeout_ = timeout;
  if (!drained) {
    phase_ = Phase::kNone;
    counted_ = false;
    packets_per_second_ = 0;
  } else if (phase_ == Phase::kNone) {
    began_ = now;
    enter(announced ? Phase::kDraining : Phase::kWithdrawn, now);
  }
}

void DrainPolicy::enter(Phase phase, Nanoseconds now) {
  phase_ = phase;
  phase_began_ = last_packet_ = now;
}

void DrainPolicy::packets(std::uint64_t total, Nanoseconds now) {
  if (!counted_ || total < total_) {
    counted_ = true;
    rate_total_ = total;
    rate_began_ = now;
  } else if (total > total_) {
    last_packet_ = now;
    if (phase_ == Phase::kQuiet) enter(Phase::kWithdrawn, now);
  }
  total_ = total;
  if (const Nanoseconds stretch = now - rate_began_; stretch >= kRateStretch) {
    packets_per_second_ = (total - rate_total_) * 1'000 / (stretch.count() / 1'000'000);
    rate_total_ = total;
    rate_began_ = now;
  }
}

void DrainPolicy::tick(bool announced, Nanoseconds now) {
  const bool quiet = now - last_packet_ >= kQuietTime;
  if (phase_ == Phase::kDraining && (quiet || !announced || now - began_ >= timeout_)) {
    enter(Phase::kWithdrawn, now);
  } else if (phase_ == Phase::kWithdrawn && quiet) {
    phase_ = Phase::kQuiet;
    phase_began_ = now;
  }
}

AnnounceMode DrainPolicy::mode() const {
  switch (phase_) {
    case Phase::kNone:
      return AnnounceMode::kNormal;
    case Phase::kDraining:
      return AnnounceMode::kDrained;
    case Phase::kWithdrawn:
    case Phase::kQuiet:
      break;
  }
  return AnnounceMode::kWithdrawn;
}

Nanoseconds DrainPolicy::elapsed(Nanoseconds now) const {
  return phase_ == Phase::kNone ? Nanoseconds{0} : now - began_;
}

}  // namespace penstock
