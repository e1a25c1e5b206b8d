// What the evidence about a backend says at this moment, strongest first. What follows from it in time (hold,
// breaker, slow start) is for others. Pure.
#pragma once

#include <optional>

#include "dataplane/probe/health_report.h"
#include "dataplane/probe/service_report.h"

namespace penstock {

struct Finding {
  bool known = false;  // by this gateway itself. Not known: taken for alive
  bool down = false;
  HealthReason reason = HealthReason::kNone;

  bool operator==(const Finding&) const = default;
};

/// What the host itself said last.
struct HostWord {
  Listener listener = Listener::kUnknown;
  bool check_failing = false;
  bool stalled = false;  // work waits and nothing moves
};

struct Evidence {
  bool maintenance = false;
  bool heard = false;     // the address has answered once
  bool silent = false;    // and does not any more
  bool in_doubt = false;  // but neither do too many others: it may be this gateway's link
  HostWord word{};
  std::optional<bool> direct{};  // this gateway's own check passes
  std::optional<bool> fleet{};   // the gateways together find it alive
};

[[nodiscard]] constexpr Finding find(const Evidence& e) noexcept {
  constexpr auto down = [](HealthReason why) { return Finding{true, true, why}; };
  if (e.maintenance) return down(HealthReason::kMaintenance);
  if (e.heard) {
    if (e.word.listener == Listener::kAbsent) return down(HealthReason::kNoListener);
    if (e.word.check_failing) return down(HealthReason::kCheckFailing);
    if (e.word.stalled) return down(HealthReason::kStalled);
  }
  if (e.silent && !e.in_doubt) return down(HealthReason::kSilent);
  if (e.direct == false) return down(HealthReason::kDirectCheck);
  const bool others_know = (!e.heard && !e.direct) || e.silent;
  if (others_know && e.fleet == false) return {e.heard, true, HealthReason::kFleet};
  return {e.heard || e.direct.has_value(), false, HealthReason::kNone};
}

}  // namespace penstock
