#include "controlplane/simulation/arrival.h"

#include <algorithm>

namespace penstock::simulation {

double ArrivalProcess::rate_at(double time) const {
  if (rate.empty()) return 0;
  const auto after = std::upper_bound(rate.begin(), rate.end(), time,
                                      [](double t, const RatePoint& point) { return t < point.time; });
  if (after == rate.begin()) return rate.front().value;
  if (after == rate.end()) return rate.back().value;
  const RatePoint &a = *(after - 1), &b = *after;
  return a.value + (b.value - a.value) * (time - a.time) / (b.time - a.time);
}

Arrivals::Arrivals(const ArrivalProcess& process, Random random) : process_(process), random_(random) {
  if (!process_.bursts.empty()) burst_end_ = random_.exponential(process_.bursts[0].mean_seconds);
}

double Arrivals::segment_end() const {
  const double point = point_ < process_.rate.size() ? process_.rate[point_].time : kNever;
  return std::min(point, burst_end_);
}

// Thinning (Lewis, Shedler 1979), with a bound for each stretch between two points or changes of burst.
double Arrivals::next() {
  if (!process_.times.empty())
    return next_time_ < process_.times.size() ? process_.times[next_time_++] : kNever;
  for (;;) {
    while (point_ < process_.rate.size() && process_.rate[point_].time <= now_) ++point_;
    const double end = segment_end();
    // One-sided limits at both ends: two points at the same time are a step.
    const double from = point_ == 0 ? process_.rate_at(now_)
                        : point_ == process_.rate.size()
                            ? process_.rate.back().value
                            : std::max(process_.rate[point_ - 1].value, process_.rate[point_].value);
    const double factor = process_.bursts.empty() ? 1 : process_.bursts[burst_].factor;
    const double bound = from * factor;
    const double candidate = bound > 0 ? now_ + random_.exponential(1 / bound) : kNever;
    if (candidate < end) {
      now_ = candidate;
      if (random_.uniform() * bound < process_.rate_at(now_) * factor) return now_;
      continue;
    }
    if (end == kNever) return kNever;
    now_ = end;
    if (end == burst_end_) {
      burst_ = (burst_ + 1) % process_.bursts.size();
      burst_end_ = now_ + random_.exponential(process_.bursts[burst_].mean_seconds);
    }
  }
}

double Arrivals::given_size() const {
  return next_time_ > 0 && next_time_ <= process_.sizes.size() ? process_.sizes[next_time_ - 1] : 0;
}

}  // namespace penstock::simulation
