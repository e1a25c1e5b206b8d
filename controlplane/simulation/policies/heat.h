// Hot or not, by probes: the fast loop's rule as the dataplane has it (dataplane/probe/hot_rule.h, which the
// control plane may not include), as far as the simulation has its signals. Late in three levels, each three
// times the one before; busy above a utilisation. On at once, off after two answers in a row below 80 %.
#pragma once

#include <array>
#include <cstdint>

namespace penstock::simulation {

class Heat {
 public:
  /// latency_seconds: NaN if nothing ended. late_after: seconds; 0: nothing is known of what is usual.
  void hear(double latency_seconds, double utilization, double late_after);
  /// 0: cold; late levels count more than busy.
  [[nodiscard]] std::uint32_t rank() const;
  [[nodiscard]] bool late() const { return late_[0].on; }

 private:
  struct Bit {
    bool on = false;
    int below = 0;  // answers in a row
    void hear(bool over, bool under);
  };
  std::array<Bit, 3> late_;
  Bit busy_;
};

}  // namespace penstock::simulation
