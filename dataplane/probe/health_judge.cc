#include "dataplane/probe/health_judge.h"

#include <algorithm>

namespace penstock {
namespace {

constexpr std::uint16_t kStaleMs = 2000;  // values that are older are none
constexpr std::size_t kVerdictsAtATime = 256;

bool is_fresh(std::uint16_t age_ms) { return age_ms != PENSTOCK_PROBE_NO_VALUE && age_ms <= kStaleMs; }

bool stalls(const probe_service_load& load) {
  return load.stalled != PENSTOCK_PROBE_NO_VALUE &&
         PENSTOCK_PROBE_TIME_US(load.stalled) >= HealthJudge::kLongestStallMs * 1000;
}

std::uint16_t next(std::uint16_t n) { return n == UINT16_MAX ? n : static_cast<std::uint16_t>(n + 1); }

ServiceState state_of(AllDown all_down) {
  switch (all_down) {
    case AllDown::kUseAll:
      return ServiceState::kUseAll;
    case AllDown::kReset:
      return ServiceState::kReset;
    case AllDown::kDrop:
      return ServiceState::kDrop;
  }
  return ServiceState::kUseAll;
}

}  // namespace

HealthJudge::Backend* HealthJudge::find(BackendIndex index) {
  if (index >= positions_.size() || positions_[index] == kNowhere) return nullptr;
  return &backends_[positions_[index]];
}

const HealthJudge::Backend* HealthJudge::find(BackendIndex index) const {
  if (index >= positions_.size() || positions_[index] == kNowhere) return nullptr;
  return &backends_[positions_[index]];
}

Evidence HealthJudge::evidence_of(const Backend& b, Nanoseconds now) const {
  Evidence e;
  e.maintenance = b.maintenance;
  e.direct = b.direct.passes;
  if (b.address != kNowhere) {
    const AddressSilence& silence = addresses_[b.address].silence;
    e.heard = silence.heard;
    e.silent = b.silent;
    e.in_doubt = doubt_.doubts() && silence.lost != 0;
    e.word = b.word;
  }
  if (b.fleet_round != 0 && b.fleet_round >= fleet_round_ && now <= fleet_at_ + kFleetVerdictLife)
    e.fleet = b.fleet_alive;
  return e;
}

void HealthJudge::settle(Backend& b, Nanoseconds now) {
  Service& service = services_[b.service];
  if (b.breaker.advance(now)) b.second = {};  // of before the trickle
  Finding finding = b.hold.step(penstock::find(evidence_of(b, now)), service.policy, now);
  if (finding.down) b.breaker.forget_evidence();
  if (!finding.down && b.breaker.state() == BreakerState::kOpen)
    finding = {true, true, HealthReason::kBreaker};
  // Out is also who gets a trickle only: the way back begins when that ends.
  const bool out = finding.down || b.breaker.state() == BreakerState::kHalfOpen;
  if (b.was_out && !out) b.ramp.begin(now);
  if (finding.down) b.ramp.end();
  b.was_out = out;
  double share = b.ramp.share(service.policy.slow_start, now);
  if (b.breaker.state() == BreakerState::kHalfOpen)
    share = std::min(share, service.policy.breaker.half_open_percent / 100.0);
  publish(b, finding, share, now);
  if (b.timed || !needs_time(b)) return;
  b.timed = true;
  timed_.push_back(static_cast<std::uint32_t>(&b - backends_.data()));
}

void HealthJudge::publish(Backend& b, const Finding& finding, double share, Nanoseconds now) {
  if (finding.down != b.finding.down || finding.reason != b.finding.reason) b.since = now;
  b.finding = finding;
  std::uint16_t bits = finding.known ? BackendState::kKnown : std::uint16_t{0};
  if (finding.down) {
    bits |= BackendState::kDown;
    if (finding.reason == HealthReason::kMaintenance) bits |= BackendState::kMaintenance;
  } else {
    if (share < 1) bits |= withheld_of(share);
    bits |= static_cast<std::uint16_t>(b.heat.late() * BackendState::kLate);
    if (b.heat.busy()) bits |= BackendState::kBusy;
  }
  const BackendState state(bits);
  if (state == b.state) return;
  const bool was_down = b.state.down();
  b.state = state;
  states_.set(b.index, state);
  if (state.down() == was_down || !counts(b)) return;
  Service& service = services_[b.service];
  if (state.down()) {
    --service.alive;
  } else {
    ++service.alive;
  }
  settle_service(service);
}

void HealthJudge::settle_service(Service& s) {
  ServiceState state = ServiceState::kAlive;
  if (s.takers != 0 && s.alive == 0) {
    state = state_of(s.policy.all_down);
  } else if (std::uint64_t{s.alive} * 100 < std::uint64_t{s.wanted} * s.policy.panic_percent) {
    state = ServiceState::kUseAll;
  }
  if (state == s.state) return;
  s.state = state;
  states_.set_service(s.index, state);
}

bool HealthJudge::needs_time(const Backend& b) {
  return b.finding.reason == HealthReason::kHeld || b.finding.reason == HealthReason::kFleet ||
         b.ramp.running() || b.breaker.state() != BreakerState::kClosed;
}

void HealthJudge::tick(Nanoseconds now) {
  const std::lock_guard lock(mutex_);
  follow_doubt(now);
  std::size_t kept = 0;
  for (const std::uint32_t position : timed_) {
    Backend& b = backends_[position];
    settle(b, now);  // which adds nobody: he is in the list
    b.timed = needs_time(b);
    if (b.timed) timed_[kept++] = position;
  }
  timed_.resize(kept);
  end_seconds(now);
}

void HealthJudge::settle_address(const Address& address, Nanoseconds now) {
  for (const std::uint32_t position : address.backends) {
    if (position != kNowhere) settle(backends_[position], now);
  }
}

// When the doubt begins, whoever was put down for silence just before is pardoned: it was the same silence.
// When it ends because most are heard again, the others get as long as anybody to be heard.
void HealthJudge::follow_doubt(Nanoseconds now) {
  const LinkDoubt::Change change = doubt_.update(now);
  if (change == LinkDoubt::Change::kNone) return;
  for (Address& address : addresses_) {
    AddressSilence& silence = address.silence;
    if (!silence.heard || silence.given_up || silence.lost == 0) continue;
    if (change == LinkDoubt::Change::kEnded) doubt_.forgive(silence);
    if (change == LinkDoubt::Change::kBelieved) doubt_.give_up(silence);
    for (const std::uint32_t position : address.backends) {
      if (position == kNowhere) continue;
      Backend& b = backends_[position];
      if (change == LinkDoubt::Change::kBegan && b.finding.reason == HealthReason::kSilent) {
        b.hold.pardon();
        b.was_out = b.breaker.state() == BreakerState::kHalfOpen;
      }
      if (change == LinkDoubt::Change::kEnded) b.silent = false;
      settle(b, now);
    }
  }
}

void HealthJudge::hear(Backend& b, const ServiceReport& report, const Address& address, Nanoseconds now) {
  const Service& service = services_[b.service];
  b.word.listener = report.listener;
  b.word.check_failing = b.word.stalled = false;
  const probe_service_load* const load = report.load ? &*report.load : nullptr;
  const bool fresh = load != nullptr && is_fresh(load->age_ms);
  if (load != nullptr) {
    b.load = *load;
    b.load_at = now;
  }
  if (fresh) {
    b.word.check_failing = load->check == PENSTOCK_PROBE_FAILING;
    b.word.stalled = stalls(*load);
    b.counters.take(*load, b.second);
    b.second.response_us = load->response_p99 != PENSTOCK_PROBE_NO_VALUE
                               ? static_cast<std::uint32_t>(PENSTOCK_PROBE_TIME_US(load->response_p99))
                               : 0;
  }
  const probe_host_load* const host =
      address.host && address.host_at == now && is_fresh(address.host->age_ms) ? &*address.host : nullptr;
  b.heat.hear(measure(load, fresh, host), service.policy.hot, service.history);
  // Silence that nobody believed needs no rise.
  const bool was_down = b.finding.reason == HealthReason::kSilent || b.finding.reason == HealthReason::kFleet;
  if (b.silent && (!was_down || address.silence.answered >= service.policy.rise)) b.silent = false;
  if (b.direct.passes && service.policy.direct != DirectChecks::kAlways) b.direct = {};
}

void HealthJudge::answered(std::size_t position, std::size_t first, std::span<const ServiceReport> reports,
                           const std::optional<probe_host_load>& host, Nanoseconds rtt, Nanoseconds now) {
  const std::lock_guard lock(mutex_);
  if (position >= addresses_.size()) return;
  Address& address = addresses_[position];
  const bool all_may_change = !address.silence.heard || address.silence.lost != 0;
  doubt_.answered(address.silence, now);
  address.rtt_us = static_cast<std::uint32_t>(std::min<std::uint64_t>(rtt.count() / 1000, UINT32_MAX));
  if (host) {
    address.host = *host;
    address.host_at = now;
  }
  const std::size_t end = std::min(first + reports.size(), address.backends.size());
  for (std::size_t i = first; i < end; ++i) {
    if (address.backends[i] == kNowhere) continue;
    Backend& b = backends_[address.backends[i]];
    hear(b, reports[i - first], address, now);
    settle(b, now);
  }
  if (all_may_change) settle_address(address, now);
  follow_doubt(now);
}

void HealthJudge::lost(std::size_t position, Nanoseconds now) {
  const std::lock_guard lock(mutex_);
  if (position >= addresses_.size()) return;
  Address& address = addresses_[position];
  if (!address.silence.heard) return;
  doubt_.lost(address.silence, now);
  // Before the verdict: it may be the one more that makes the doubt.
  follow_doubt(now);
  for (const std::uint32_t at : address.backends) {
    if (at == kNowhere) continue;
    Backend& b = backends_[at];
    if (address.silence.lost >= services_[b.service].policy.fall) b.silent = true;
    settle(b, now);
  }
}

void HealthJudge::direct(BackendIndex index, bool passed, Nanoseconds now) {
  const std::lock_guard lock(mutex_);
  Backend* const b = find(index);
  if (b == nullptr) return;
  const HealthDocument& policy = services_[b->service].policy;
  if (!policy.direct_check) return;
  const bool heard = b->address != kNowhere && addresses_[b->address].silence.heard;
  if (heard && policy.direct != DirectChecks::kAlways) return;
  Direct& d = b->direct;
  d.passed = passed ? next(d.passed) : std::uint16_t{0};
  d.failed = passed ? std::uint16_t{0} : next(d.failed);
  // The first that is known of a backend is believed only as a fall or a rise is: until then it is unknown.
  if (d.passed >= policy.direct_check->rise) d.passes = true;
  if (d.failed >= policy.direct_check->fall) d.passes = false;
  settle(*b, now);
}

bool HealthJudge::heard(BackendIndex index) const {
  const std::lock_guard lock(mutex_);
  const Backend* const b = find(index);
  return b != nullptr && b->address != kNowhere && addresses_[b->address].silence.heard;
}

// Until the last verdict is in, those of the round before still count.
void HealthJudge::fleet(std::span<const FleetVerdict> verdicts, Nanoseconds now) {
  std::uint32_t round;
  bool stale;  // nothing is left of what was said before
  {
    const std::lock_guard lock(mutex_);
    round = fleet_round_ + 1;
    stale = now > fleet_at_ + kFleetVerdictLife;
    fleet_at_ = now;
  }
  for (std::size_t first = 0; first < verdicts.size(); first += kVerdictsAtATime) {
    const std::lock_guard lock(mutex_);
    for (const FleetVerdict& v :
         verdicts.subspan(first, std::min(kVerdictsAtATime, verdicts.size() - first))) {
      Backend* const b = find(v.backend);
      if (b == nullptr) continue;
      const bool news =
          stale || b->fleet_round == 0 || b->fleet_round + 1 != round || b->fleet_alive != v.alive;
      b->fleet_round = round;
      b->fleet_alive = v.alive;
      if (news) settle(*b, now);
    }
  }
  const std::lock_guard lock(mutex_);
  fleet_round_ = round;
}

}  // namespace penstock
