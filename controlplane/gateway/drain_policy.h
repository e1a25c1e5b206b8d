// How a whole gateway gives up its traffic without losing any: first every VIP is announced with the
// graceful-shutdown community, so that routers move the traffic away while packets under way still find us;
// when no packet has come for `quiet` (or at the deadline) the VIPs are withdrawn; when still none comes, it
// is quiet. The state machine without clock, thread or kernel.
//
//                wanted, announced           no packet for `quiet`, or deadline         no packet for `quiet`
//      none ───────────────────────► draining ───────────────────────► withdrawn ──────────────────────►
//      quiet
//       ▲      wanted, nothing announced ────────────────────────────────┘
//       └───────────────────────── no longer wanted, from everywhere
//
// Not thread safe.
#pragma once

#include <cstdint>

#include "controlplane/gateway/announcement_plan.h"
#include "penstock/base/units.h"

namespace penstock {

class DrainPolicy {
 public:
  enum class Phase { kNone, kDraining, kWithdrawn, kQuiet };

  /// announced: some VIP is announced now. A gateway that starts up drained must not announce in order to
  /// drain. May be called again and again; a changed timeout counts from the beginning of the drain.
  void want(bool drained, Nanoseconds timeout, bool announced, Nanoseconds now);

  /// Packets for VIPs since the dataplane began; fewer than before mean another process.
  void packets(std::uint64_t total, Nanoseconds now);

  /// announced: as in want(); a dead dataplane's VIPs are withdrawn by the guard.
  void tick(bool announced, Nanoseconds now);

  [[nodiscard]] Phase phase() const { return phase_; }
  [[nodiscard]] AnnounceMode mode() const;
  [[nodiscard]] std::uint64_t packets_per_second() const { return packets_per_second_; }
  [[nodiscard]] Nanoseconds elapsed(Nanoseconds now) const;
  /// Since the present phase began.
  [[nodiscard]] Nanoseconds in_phase(Nanoseconds now) const { return now - phase_began_; }

  static constexpr Nanoseconds kQuietTime = Nanoseconds::from_millis(1000);

 private:
  void enter(Phase phase, Nanoseconds now);

  Phase phase_ = Phase::kNone;
  Nanoseconds began_{0};
  Nanoseconds phase_began_{0};
  Nanoseconds timeout_{0};
  Nanoseconds last_packet_{0};  // or the beginning of the phase
  bool counted_ = false;
  std::uint64_t total_ = 0;
  std::uint64_t packets_per_second_ = 0;
  std::uint64_t rate_total_ = 0;  // at the beginning of the measured stretch
  Nanoseconds rate_began_{0};
};

}  // namespace penstock
