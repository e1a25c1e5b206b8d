// What came back of each flow: in order, and by way of one backend?
//
// A packet is misordered when a later one of its flow came first (RFC 4737, type-P-reordered: its sequence
// number is smaller than the next one expected); a repeated packet counts as well. A flow is moved when
// another backend gets it than before. Eight bytes a flow. One thread.
#pragma once

#include <cstdint>
#include <vector>

#include "perf/pktgen/traffic.h"

namespace penstock::perf {

class FlowLedger {
 public:
  explicit FlowLedger(std::uint32_t flows) : flows_(flows) {}

  /// False for a flow that there is not.
  bool take(const Arrival& arrival) noexcept {
    if (arrival.flow >= flows_.size()) return false;
    Entry& entry = flows_[arrival.flow];
    if (arrival.sequence < entry.expected) {
      ++misordered_;
    } else {
      entry.expected = arrival.sequence + 1;
    }
    moved_ += entry.backend != 0 && entry.backend != arrival.backend;
    entry.backend = arrival.backend;
    return true;
  }

  [[nodiscard]] std::uint64_t misordered() const { return misordered_; }
  [[nodiscard]] std::uint64_t moved() const { return moved_; }

 private:
  struct Entry {
    std::uint32_t expected = 0;  // sequence number
    std::uint32_t backend = 0;   // 0: nothing came yet
  };
  std::vector<Entry> flows_;
  std::uint64_t misordered_ = 0;
  std::uint64_t moved_ = 0;
};

}  // namespace penstock::perf
