// The circuit breaker of one backend: closed, open, half-open. It is for backends that answer probes and yet
// fail the connections that they are given.
//
// Theory of operation. Once a second the evidence gathered since is compared with limits that follow the
// service's own history (limits_of()). Bad evidence opens the breaker for open_ms, doubled with each trip in
// a row up to a minute. Then a trickle of new flows is let through (half-open): good evidence, or no traffic
// at all for as long as it had been open, closes it, bad evidence opens it again. How many backends of a
// service may be open at once is the caller's to say.
//
// One thread; never an earlier time.
#pragma once

#include <cstdint>
#include <optional>

#include "dataplane/config/health_document.h"
#include "dataplane/probe/health_report.h"
#include "dataplane/probe/load_window.h"
#include "dataplane/probe/service_history.h"
#include "penstock/base/units.h"

namespace penstock {

struct BreakerLimits {
  double failure_share = 1;        // failed attempts of all
  double response_us = 0;          // 99th percentile; 0: no limit
  std::uint32_t loss_percent = 0;  // of probes; 0: no limit
};

/// What is bad for a backend of a service with this history: far from what is usual, and from what the
/// others of the service do at this moment. A service that is slow or fails as a whole opens nobody.
[[nodiscard]] BreakerLimits limits_of(const BreakerDocument& policy, const ServiceHistory& history) noexcept;

class Breaker {
 public:
  /// Evidence of about a second. may_open: of the service's share, as it is now. heard: probe rounds.
  void judge(const LoadWindow& second, std::uint32_t loss_percent, bool loss_is_known,
             const BreakerLimits& limits, const BreakerDocument& policy, bool may_open,
             Nanoseconds now) noexcept;
  /// True when it has become half-open.
  bool advance(Nanoseconds now) noexcept;
  /// The backend is down for another reason: what it did before says nothing.
  void forget_evidence() noexcept { evidence_ = {}; }
  void close() noexcept { state_ = BreakerState::kClosed; }

  [[nodiscard]] BreakerState state() const noexcept { return state_; }
  [[nodiscard]] BreakerCause cause() const noexcept { return cause_; }
  [[nodiscard]] std::uint32_t trips() const noexcept { return trips_; }

 private:
  [[nodiscard]] BreakerCause fault_of(std::uint32_t loss_percent, bool loss_is_known,
                                      const BreakerLimits& limits) const noexcept;
  void open(BreakerCause cause, const BreakerDocument& policy, Nanoseconds now) noexcept;
  void close(Nanoseconds now) noexcept;

  BreakerState state_ = BreakerState::kClosed;
  BreakerCause cause_ = BreakerCause::kNone;
  std::uint32_t trips_ = 0;
  Nanoseconds since_{};     // in this state
  Nanoseconds open_for_{};  // of the last trip
  LoadWindow evidence_;
  std::uint32_t seconds_ = 0;  // of evidence
};

}  // namespace penstock
