#include "bpf/agent/telemetry/stall_watch.h"

#include <algorithm>

namespace penstock {
namespace {

/// Short of what gateways act upon (300 ms).
constexpr Nanoseconds kUsual = Nanoseconds::from_millis(250);
constexpr Nanoseconds kUnknown = Nanoseconds::from_seconds(1);
constexpr Nanoseconds kLongestPause = Nanoseconds::from_seconds(2);
constexpr Nanoseconds kMemory = Nanoseconds::from_seconds(30);
/// A connection whose bytes nobody reads, on a service where nothing else happens, is somebody's decision.
constexpr Nanoseconds kUnreadForgotten = Nanoseconds::from_seconds(10);
constexpr unsigned kMovesToKnow = 10;
constexpr std::size_t kPausesToBelieve = 3;

}  // namespace

void StallWatch::learn(const ServicePulse& pulse) {
  if (pulse.progress <= progress_) return;
  if (moves_ < kMovesToKnow) ++moves_;
  if (waiting_since_.count() != 0 && pulse.progress > waiting_since_) {
    const Nanoseconds length = std::min(pulse.progress - waiting_since_, kLongestPause);
    if (length >= kUsual) {
      pauses_[next_pause_] = {pulse.progress, length};
      next_pause_ = (next_pause_ + 1) % pauses_.size();
    }
  }
  progress_ = pulse.progress;
}

Nanoseconds StallWatch::bound(Nanoseconds now) const {
  Nanoseconds longest;
  std::size_t recent = 0;
  for (const Pause& pause : pauses_) {
    if (pause.length.count() == 0 || pause.ended + kMemory < now) continue;
    longest = std::max(longest, pause.length);
    ++recent;
  }
  const Nanoseconds raised(recent >= kPausesToBelieve ? longest.count() * 3 / 2 : 0);
  return std::max(raised, moves_ < kMovesToKnow ? kUnknown : kUsual);
}

Nanoseconds StallWatch::judge(Nanoseconds now, const ServicePulse& pulse) {
  learn(pulse);
  waiting_since_ = Nanoseconds();
  if (!pulse.queued && !pulse.unread) return {};
  const Nanoseconds since = std::max(pulse.progress, pulse.work);
  const Nanoseconds waited = now > since ? now - since : Nanoseconds();
  if (!pulse.queued && waited > kUnreadForgotten) return {};
  waiting_since_ = since;
  return waited <= bound(now) ? std::min(waited, kUsual) : waited;
}

}  // namespace penstock
