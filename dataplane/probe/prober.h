// The prober's thread: asks through the workers' lcores (dataplane/own) what ProbeRounds wants asked, and
// tells a ProbeSink what comes of it.
//
// It wakes some 16 times an interval, never for a single frame: hands in what was sent and what came, judges
// silence up to the time until which all workers are known to have heard everything, and puts what is due
// meanwhile into the rings. All questions to one address go by one worker, so they stay in order.
#pragma once

#include <memory>

#include "dataplane/config/next_hops.h"
#include "dataplane/own/own_traffic.h"
#include "dataplane/probe/probe_rounds.h"
#include "penstock/base/result.h"

namespace penstock {

class Prober {
 public:
  /// `sink`: called by the prober's thread alone. `channel`: its ports are at least as many as its workers;
  /// worker n's questions come from its nth port. Both must outlive the prober. Unavailable: no descriptors.
  static Result<std::unique_ptr<Prober>> start(Nanoseconds interval, ProbeSink& sink, OwnChannel& channel);
  ~Prober();  // ends the thread; the verdicts stay as they are
  Prober(const Prober&) = delete;
  Prober& operator=(const Prober&) = delete;

  /// From now on these; the latest wins. Any thread.
  void follow(ProbePlan plan);
  /// How the plan's addresses are reached. Who is not among them is not asked. Any thread.
  void reach(std::shared_ptr<const NextHops> hops);
  /// Any thread.
  [[nodiscard]] ProbeCounters counters() const;

 private:
  class Thread;
  explicit Prober(std::unique_ptr<Thread> thread);
  std::unique_ptr<Thread> thread_;
};

}  // namespace penstock
