#include "dataplane/pipeline/new_flow.h"

#include "dataplane/config/hop_candidates.h"
#include "dataplane/pipeline/tcp_reset.h"

namespace penstock {

namespace {

// Draws in a row for a living backend. Of ten, nine dead, all miss once in a thousand times.
constexpr std::uint32_t kDraws = 64;
// For one that admits a flow whose primary lives: there is no need, only a wish.
constexpr std::uint32_t kWishes = 12;
// Of 256 flows, that a backend keeps which is busy, and late by 1-3 levels. Without any, nobody would learn
// that a late one is quick again.
constexpr std::uint8_t kKept[] = {0, 4, 4, 4};
// Where weights follow load they make up for most of it within a second. All flows that leave at once would
// make the others hot, and teach the weights what is not so: in the simulator the strict rule has the nodes
// of such a service swing (perf/kpi).
constexpr std::uint8_t kGentlyKept[] = {240, 240, 224, 192};

class Placement {
 public:
  Placement(const Selection& x, const ServiceRecord& service, std::uint32_t slot,
            const PacketView& p) noexcept
      : x_(x),
        service_(service),
        slot_(slot),
        index_(p.service),
        bits_(service.by_source ? p.choice : static_cast<std::uint32_t>(p.hash >> 8)),
        primary_(service.backends[service.owners[slot]]),
        alternate_(service.backends[service.table->alternate(slot)]) {}

  BackendIndex run() noexcept {
    const BackendState primary = state_of(x_, primary_);
    if (primary.down()) return leave_the_dead(primary);
    if (!primary.admits(draw(0))) return leave_the_starting();
    return leave_the_hot(primary);
  }

 private:
  // 0-255 for the n-th candidate.
  [[nodiscard]] std::uint8_t draw(std::uint32_t n) const noexcept {
    return static_cast<std::uint8_t>((bits_ + n * 0x9e37U) >> (n & 1) * 8);
  }

  [[nodiscard]] bool lives(BackendIndex backend) const noexcept {
    return x_.snapshot.backend(backend).has(BackendRecord::kTakesNewFlows) && !is_down(x_, backend);
  }
  [[nodiscard]] bool admits(BackendIndex backend, std::uint32_t n) const noexcept {
    return lives(backend) && state_of(x_, backend).admits(draw(n));
  }

  BackendIndex count(Counter& counter, BackendIndex backend) const noexcept {
    if (backend != primary_) counter.add(1);
    return backend;
  }

  [[nodiscard]] BackendIndex drawn(std::uint32_t n) const noexcept {
    return service_.backends[service_.table->draw(slot_, n)];
  }

  BackendIndex leave_the_dead(BackendState primary) const noexcept {
    const ServiceState service =
        x_.reports.states != nullptr ? x_.reports.states->service(index_) : ServiceState::kAlive;
    if (service == ServiceState::kReset || service == ServiceState::kDrop) return kNoBackend;
    if (service == ServiceState::kUseAll)
      return primary.in_maintenance() ? count(x_.counters.avoided, best_of_all()) : primary_;
    if (admits(alternate_, 1)) return count(x_.counters.avoided, alternate_);
    BackendIndex last = lives(alternate_) ? alternate_ : kNoBackend;
    if (service_.hops != nullptr) {
      const HopCandidates candidates = hop_candidates(x_.snapshot, index_, slot_);
      for (const BackendIndex candidate : candidates.all()) {
        if (admits(candidate, 2)) return count(x_.counters.avoided, candidate);
        if (last == kNoBackend && lives(candidate)) last = candidate;
      }
    }
    for (std::uint32_t n = 0; n < kDraws; ++n) {
      const BackendIndex other = drawn(n);
      if (admits(other, n)) return count(x_.counters.avoided, other);
      if (last == kNoBackend && lives(other)) last = other;
    }
    return last != kNoBackend ? count(x_.counters.avoided, last) : primary_;
  }

  // All count as alive, but one in maintenance only if there is nobody else.
  [[nodiscard]] BackendIndex best_of_all() const noexcept {
    if (!state_of(x_, alternate_).in_maintenance()) return alternate_;
    for (std::uint32_t n = 0; n < kDraws; ++n) {
      if (!state_of(x_, drawn(n)).in_maintenance()) return drawn(n);
    }
    return primary_;
  }

  BackendIndex leave_the_starting() const noexcept {
    if (admits(alternate_, 1)) return count(x_.counters.withheld, alternate_);
    for (std::uint32_t n = 0; n < kWishes; ++n) {
      const BackendIndex other = drawn(n);
      if (other != primary_ && admits(other, n)) return count(x_.counters.withheld, other);
    }
    return primary_;
  }

  BackendIndex leave_the_hot(BackendState primary) const noexcept {
    const bool cooler = state_of(x_, alternate_).rank() < primary.rank();
    if (service_.by_source || !cooler || !admits(alternate_, 1)) return primary_;
    const std::uint8_t kept = (service_.gentle ? kGentlyKept : kKept)[primary.lateness()];
    if (draw(2) < kept) return primary_;
    return count(x_.counters.cooler, alternate_);
  }

  const Selection& x_;
  const ServiceRecord& service_;
  const std::uint32_t slot_;
  const ServiceIndex index_;
  const std::uint32_t bits_;
  const BackendIndex primary_;
  const BackendIndex alternate_;
};

}  // namespace

BackendIndex place_new_flow(const Selection& x, const ServiceRecord& service, std::uint32_t slot,
                            const PacketView& p) noexcept {
  return Placement(x, service, slot, p).run();
}

void refuse_new_flow(const Selection& x, PacketView& p) noexcept {
  p.backend = kNoBackend;
  const bool reset = x.reports.states->service(p.service) == ServiceState::kReset;
  if (reset && p.kind == PacketKind::kSyn && answer_reset(p)) return;
  p.outcome = Outcome::kNoBackendAlive;
}

}  // namespace penstock
