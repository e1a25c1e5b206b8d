// Runs the local checks of a host: each at its interval, never two runs of one at once, results kept.
//
// Theory of operation: one thread with one event loop does everything but waiting: connections of all kinds,
// scripts (as children), timers. A run that is not over at its timeout has failed, whatever its peer is
// doing; its sockets are closed, its processes killed. At most kMaxRuns run at a time, the others wait for
// their turn (which does not count into their time); so neither memory nor descriptors grow with the number
// of checks that hang. Starts are spread at random, and every interval is shortened at random by up to a
// tenth: many checks do not run in step, and no interval is exceeded.
//
// Checks connect from the address that they check: a check can never be answered by another host that has the
// VIP. That and PENSTOCK_CHECK_MSS tell their connections from those of clients.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bpf/agent/checks/check_spec.h"
#include "bpf/agent/checks/check_state.h"
#include "penstock/base/units.h"

namespace penstock {

inline constexpr std::size_t kMaxRuns = 128;       // connections of checks at a time
inline constexpr std::size_t kMaxScriptRuns = 16;  // besides

struct CheckRunnerSettings {
  std::string scripts;  // folder of the scripts; empty: none may run
  /// Called from the runner's thread after a service's verdict changed. Must not call the runner.
  std::function<void()> wake;
};

struct CheckResult {
  std::string name;
  CheckVerdict verdict = CheckVerdict::kUnchecked;
  std::string detail;    // why the last run failed; of a script its first line, too. Printable ASCII
  Nanoseconds since;     // of the verdict, CLOCK_MONOTONIC; zero: unchecked
  Nanoseconds ended;     // when the last run ended; zero: none has
  Nanoseconds duration;  // of the last run
  std::uint64_t runs = 0;
  std::uint64_t failures = 0;
  bool damped = false;
};

struct ServiceResult {
  CheckVerdict verdict = CheckVerdict::kUnchecked;  // failing if any check fails, passing if all pass
  std::vector<CheckResult> checks;                  // in the directive's order
};

class CheckRunner {
 public:
  explicit CheckRunner(CheckRunnerSettings settings);
  /// Ends all runs, kills the scripts, joins the thread.
  ~CheckRunner();

  /// Exactly these from now on. A check that was there before and is equal keeps its state and its rhythm;
  /// what is gone is cancelled. Returns when the runner has taken them over.
  void set(std::vector<ServiceChecks> services);

  /// Any thread. Of the services of the last set(), all of them.
  [[nodiscard]] std::map<CheckedService, ServiceResult> results() const;
  [[nodiscard]] std::map<CheckedService, CheckVerdict> verdicts() const;

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

}  // namespace penstock
