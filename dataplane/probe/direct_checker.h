// The thread of the direct checks: DirectRounds on the clock, fed with plans and next hops.
#pragma once

#include <memory>

#include "dataplane/probe/direct_rounds.h"

namespace penstock {

class DirectChecker {
 public:
  /// `channel` and what `listeners` refer to must outlive the checker, whose thread alone uses them.
  DirectChecker(OwnChannel& channel, DirectRounds::Listeners listeners);
  ~DirectChecker();  // ends the thread; verdicts stay as they are
  DirectChecker(const DirectChecker&) = delete;
  DirectChecker& operator=(const DirectChecker&) = delete;

  /// From now on these; the latest wins. Any thread.
  void follow(DirectPlan plan);
  void reach(std::shared_ptr<const NextHops> hops);
  /// Any thread.
  [[nodiscard]] DirectCounters counters() const;

 private:
  class Thread;
  std::unique_ptr<Thread> thread_;
};

}  // namespace penstock
