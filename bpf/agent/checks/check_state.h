// What is believed of one check: the state machine between the results of its runs and the verdict that goes
// into probes and reports. It knows no sockets and no clock of its own.
//
// The first result decides at once: before it nothing is said of the service, neither good nor bad. After
// that `fall` failures in a row make it failing, `rise` successes in a row passing again, but not before the
// hold is over. The hold begins at `hold_ms` and doubles, up to `max_hold_ms`, with each fall within
// `max_hold_ms` of the end of the hold before (flap damping); it is measured from that end, because from the
// last fall on the longest hold would always have outlived itself. A host that is found failing at the start
// has not fallen: it is not held.
#pragma once

#include <cstdint>

#include "penstock/base/units.h"

namespace penstock {

enum class CheckVerdict : std::uint8_t { kUnchecked, kPassing, kFailing };

struct CheckRules {
  std::uint32_t rise = 1;
  std::uint32_t fall = 1;
  std::uint32_t hold_ms = 0;
  std::uint32_t max_hold_ms = 0;
};

class CheckState {
 public:
  explicit CheckState(const CheckRules& rules) : rules_(rules) {}

  /// Takes a run's result. `now` never goes back. True when the verdict changed.
  bool passed(Nanoseconds now);
  bool failed(Nanoseconds now);

  [[nodiscard]] CheckVerdict verdict() const { return verdict_; }
  /// When the verdict was reached; zero while unchecked.
  [[nodiscard]] Nanoseconds since() const { return since_; }
  /// It has passed `rise` times and is failing only because of the hold.
  [[nodiscard]] bool damped() const;
  [[nodiscard]] Nanoseconds hold_until() const { return hold_until_; }

 private:
  void decide(CheckVerdict verdict, Nanoseconds now);
  void fall(Nanoseconds now);

  CheckRules rules_;
  CheckVerdict verdict_ = CheckVerdict::kUnchecked;
  Nanoseconds since_;
  Nanoseconds hold_until_;      // zero: it has never fallen
  std::uint64_t hold_ms_ = 0;   // of the last fall
  std::uint32_t in_a_row_ = 0;  // results that speak against the verdict
};

}  // namespace penstock
