// Where the weight loop shows what it thinks, and everyone else looks: the last snapshot, and the history of
// those before it.
#pragma once

#include <memory>
#include <mutex>
#include <utility>

#include "controlplane/load/weight_history.h"
#include "controlplane/stream/weight_snapshot.h"

namespace penstock {

/// One thread shows, any threads look.
class WeightBoard {
 public:
  /// `snapshot` is not null.
  void show(std::shared_ptr<const WeightSnapshot> snapshot) {
    if (snapshot->planned_at != Nanoseconds{}) {
      history_.add(static_cast<double>(snapshot->unix_ms) / 1000, *snapshot->fleet, snapshot->plan);
    }
    const std::lock_guard lock(mutex_);
    now_ = std::move(snapshot);
  }

  /// Never null.
  [[nodiscard]] std::shared_ptr<const WeightSnapshot> now() const {
    const std::lock_guard lock(mutex_);
    return now_;
  }
  [[nodiscard]] const load::WeightHistory& history() const { return history_; }

 private:
  load::WeightHistory history_;
  mutable std::mutex mutex_;
  std::shared_ptr<const WeightSnapshot> now_ = std::make_shared<WeightSnapshot>();
};

}  // namespace penstock
