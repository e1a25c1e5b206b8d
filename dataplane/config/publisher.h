// Hands snapshots from the control thread to the workers: one pointer swap, then the old snapshot is freed
// once no worker can still read it.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/config/snapshot.h"
#include "dataplane/stats/lcore_counters.h"

namespace penstock {

/// Knows when the workers have let go. dpdk/ implements it with rte_rcu_qsbr, tests by hand.
class Quiescence {
 public:
  virtual ~Quiescence() = default;
  /// Returns when every worker has passed a quiescent state (between two bursts) that began after the call.
  virtual void synchronize() = 0;
};

class Publisher {
 public:
  /// Starts with an empty snapshot. quiescence and counters must outlive it.
  Publisher(Quiescence& quiescence, std::span<LcoreCounters* const> counters)
      : quiescence_(quiescence),
        counters_(counters.begin(), counters.end()),
        owned_(std::make_unique<const Snapshot>()),
        current_(owned_.get()) {}

  /// Any thread. A worker may use the reference until its next quiescent state; the control thread until its
  /// next publish().
  [[nodiscard]] const Snapshot& current() const noexcept { return *current_.load(std::memory_order_acquire); }

  /// Control thread only. Returns when the snapshot before has been freed.
  void publish(std::unique_ptr<const Snapshot> next) {
    for (LcoreCounters* counters : counters_) {
      for (const ServiceIndex i : next->fresh_services()) counters->begin_service(i);
      for (const BackendIndex i : next->fresh_backends()) counters->begin_backend(i);
    }
    current_.store(next.get(), std::memory_order_release);
    quiescence_.synchronize();
    owned_ = std::move(next);
  }

 private:
  Quiescence& quiescence_;
  std::vector<LcoreCounters*> counters_;
  std::unique_ptr<const Snapshot> owned_;
  std::atomic<const Snapshot*> current_;
};

}  // namespace penstock
