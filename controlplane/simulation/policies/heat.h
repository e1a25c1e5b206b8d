// Hot or not, by probes: the fast loop's rule as the dataplane has it (dataplane/probe/hot_rule.h, which the
// control plane may not include), as far as the simulation has its signals. Late in three levels, each three
// times the one before; busy above a utilisation. On at once, off after two answers in a row below 80 %. What
// is not heard makes nobody quick, until it has not been heard for kUnheardAnswers.
#pragma once

#include <array>
#include <cstdint>

namespace penstock::simulation {

class Heat {
 public:
  static constexpr int kUnheardAnswers = 100;

  /// latency_seconds: NaN if nothing ended. late_after: seconds; 0: nothing is known of what is usual.
  void hear(double latency_seconds, double utilization, double late_after);
  /// 0: cold; late levels count more than busy.
  [[nodiscard]] std::uint32_t rank() const;
  /// 0-3; 0: not late.
  [[nodiscard]] std::uint32_t late() const { return rank() / 2; }

 private:
  struct Bit {
    bool on = false;
    int below = 0;  // answers in a row
    void hear(bool over, bool under);
  };
  int unheard_ = 0;  // answers in a row without a latency
  std::array<Bit, 3> late_;
  Bit busy_;
};

}  // namespace penstock::simulation
