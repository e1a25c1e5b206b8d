// The prober's thread: kernel UDP sockets around ProbeRounds. What it finds goes to a ProbeSink.
#pragma once

#include <memory>

#include "dataplane/probe/probe_rounds.h"
#include "penstock/base/result.h"

namespace penstock {

class Prober {
 public:
  /// Opens a socket of each family that this host has; Unavailable when it has none. `sink` must outlive the
  /// prober, whose thread alone calls it.
  static Result<std::unique_ptr<Prober>> start(Nanoseconds interval, ProbeSink& sink);
  ~Prober();  // ends the thread; the verdicts stay as they are
  Prober(const Prober&) = delete;
  Prober& operator=(const Prober&) = delete;

  /// From now on these; the latest wins. Any thread.
  void follow(ProbePlan plan);
  /// Any thread.
  [[nodiscard]] ProbeCounters counters() const;

 private:
  class Thread;
  explicit Prober(std::unique_ptr<Thread> thread);
  std::unique_ptr<Thread> thread_;
};

}  // namespace penstock
