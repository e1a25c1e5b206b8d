// What the judge tells whoever reports it.
#include <algorithm>
#include <cmath>

#include "dataplane/probe/health_judge.h"

namespace penstock {
namespace {

constexpr std::uint64_t kStaleMs = 2000;
constexpr std::size_t kBackendsAtATime = 256;  // how long the prober may have to wait: some 20 us

/// Absent when it is too old by now. told: at that time it had the age that it says.
template <class Load>
std::optional<Load> aged(const std::optional<Load>& load, Nanoseconds told, Nanoseconds now) {
  if (!load || load->age_ms == PENSTOCK_PROBE_NO_VALUE) return std::nullopt;
  const std::uint64_t age = load->age_ms + (now - told).count() / 1'000'000;
  if (age > kStaleMs) return std::nullopt;
  Load out = *load;
  out.age_ms = static_cast<std::uint16_t>(age);
  return out;
}

}  // namespace

BackendReport HealthJudge::report_of(const Backend& b, Nanoseconds now) const {
  BackendReport out;
  out.reason = b.finding.reason;
  out.in_state = now > b.since ? now - b.since : Nanoseconds();
  out.breaker = b.breaker.state();
  out.cause = b.breaker.cause();
  out.late = b.heat.late() != 0;
  out.busy = b.heat.busy();
  const unsigned withheld = b.state.bits() & BackendState::kWithheldMask;
  out.admitted_percent = b.state.down() ? 0 : (256 - withheld) * 100 / 256;
  out.falls = b.hold.falls();
  out.trips = b.breaker.trips();
  if (b.address == kNowhere) return out;
  const Address& address = addresses_[b.address];
  out.in_doubt = doubt_.doubts() && address.silence.lost != 0;
  out.probe_loss_percent = address.silence.loss_percent();
  out.rtt_us = address.rtt_us;
  out.load = aged(b.load, b.load_at, now);
  out.host = aged(address.host, address.host_at, now);
  return out;
}

void HealthJudge::report(std::span<const BackendIndex> backends, Nanoseconds now,
                         std::vector<BackendReport>& out) const {
  out.assign(backends.size(), {});
  for (std::size_t first = 0; first < backends.size(); first += kBackendsAtATime) {
    const std::lock_guard lock(mutex_);
    const std::size_t end = std::min(first + kBackendsAtATime, backends.size());
    for (std::size_t i = first; i < end; ++i) {
      if (const Backend* const b = find(backends[i])) out[i] = report_of(*b, now);
    }
  }
}

}  // namespace penstock
