// How many flow entries name each backend. Whoever scans the flow tables feeds it (replication does so every
// 250 ms, where it is on), and any thread reads the last whole count.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/flow/flow_bucket.h"
#include "dataplane/flow/flow_buckets.h"

namespace penstock {

class FlowCensus {
 public:
  /// backends: one more than the greatest index that is counted; greater ones are left out.
  explicit FlowCensus(std::size_t backends) : counting_(backends), counted_(backends) {}

  // The scanning thread's.

  void count(BackendIndex backend) noexcept {
    if (backend < counting_.size()) ++counting_[backend];
  }
  /// The living entries of a whole table.
  void count(const FlowBuckets& table) noexcept {
    std::array<FlowRecord, kSlotsPerBucket> records;
    for (std::size_t bucket = 0; bucket < table.bucket_count(); ++bucket) {
      const std::size_t found = table.read_bucket(bucket, records);
      for (std::size_t i = 0; i < found; ++i) count(records[i].backend);
    }
  }
  /// What was counted since the last call is what flows() tells from now on.
  void publish() noexcept {
    for (std::size_t i = 0; i < counting_.size(); ++i) {
      counted_[i].store(counting_[i], std::memory_order_relaxed);
      counting_[i] = 0;
    }
    rounds_.store(rounds_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }

  // Any thread.

  [[nodiscard]] std::uint32_t flows(BackendIndex backend) const noexcept {
    return backend < counted_.size() ? counted_[backend].load(std::memory_order_relaxed) : 0;
  }
  /// Counts published so far.
  [[nodiscard]] std::uint64_t rounds() const noexcept { return rounds_.load(std::memory_order_acquire); }

 private:
  std::vector<std::uint32_t> counting_;
  std::vector<std::atomic<std::uint32_t>> counted_;
  std::atomic<std::uint64_t> rounds_{0};
};

}  // namespace penstock
